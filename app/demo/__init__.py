"""The demo account: a year of notes, todos and word counts, for review apps, newcomers and screenshots (seed data).

The texts and the photo are data, in texts/. The texts come in as an export does (app/portability), which alone stores
rows of the past.
"""
