"""The tables of the service, as models that Django does not manage."""

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now


class User(AbstractBaseUser):
    email = models.CharField(max_length=120, unique=True)
    nickname = models.CharField(max_length=80, unique=True)
    password = models.CharField(max_length=255, db_column="password_hash")
    last_login = None

    USERNAME_FIELD = "email"

    class Meta:
        managed = False
        db_table = "users"


class AccessToken(models.Model):
    token_hash = models.CharField(max_length=64, unique=True)
    user = models.ForeignKey(User, models.CASCADE)
    expires_at = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = "access_tokens"


class Shared(models.Model):
    """What the pages know of a note."""

    user = models.ForeignKey(User, models.CASCADE)
    title = models.CharField(max_length=50, blank=True)
    content = models.CharField(max_length=2000)
    pinned = models.BooleanField(db_default=False)
    created_at = models.DateTimeField(db_default=Now())
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True
        managed = False
        db_table = "notes"
        ordering = ("-pinned", "-created_at", "-id")


class Note(Shared):
    class Meta(Shared.Meta):
        pass


class WholeNote(Shared):
    """With what the API gives too, so that the pages need not fetch it."""

    tags = ArrayField(models.TextField())
    version = models.IntegerField()
    updated_at = models.DateTimeField()
    archived_at = models.DateTimeField(null=True)

    class Meta(Shared.Meta):
        pass
