"""The list of notes, twenty a page, and a new one."""

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from tools.bench.peers.django.notes.forms import NoteForm
from tools.bench.peers.django.notes.models import Note


@login_required
def notes(request: HttpRequest) -> HttpResponse:
    form = NoteForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        note = form.save(commit=False)
        note.user = request.user
        note.save()
        return redirect("/notes")
    paginator = Paginator(Note.objects.filter(user=request.user, deleted_at=None), 20)
    page = paginator.get_page(request.GET.get("page"))
    return render(request, "index.html", {"notes": page, "form": form}, status=422 if form.errors else 200)
