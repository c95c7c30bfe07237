"""The forms: signing in, and a new note."""

from typing import Any

from django import forms
from django.contrib.auth import authenticate

from tools.bench.peers.django.notes.models import Note, User


class EmailForm(forms.Form):
    """Signing in by email address, as LoginView takes it."""

    email = forms.EmailField()
    password = forms.CharField(widget=forms.PasswordInput)

    def __init__(self, request: Any = None, *args: Any, **kwargs: Any) -> None:
        self.request, self.user = request, None
        super().__init__(*args, **kwargs)

    def clean(self) -> dict[str, Any]:
        self.user = authenticate(self.request, **self.cleaned_data)
        if self.user is None:
            raise forms.ValidationError("Wrong email or password.")
        return dict(self.cleaned_data)

    def get_user(self) -> User | None:
        return self.user


class NoteForm(forms.ModelForm):
    class Meta:
        model = Note
        fields = ("title", "content")
