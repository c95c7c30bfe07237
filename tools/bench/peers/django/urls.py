"""The paths of the peer."""

from django.contrib.auth.views import LoginView
from django.urls import path

from tools.bench.peers.django.notes import api, views
from tools.bench.peers.django.notes.forms import EmailForm

urlpatterns = [
    path("sign-in", LoginView.as_view(template_name="sign_in.html", authentication_form=EmailForm)),
    path("notes", views.notes),
    path("api/v1/notes", api.notes),
]
