"""Every safe revision of the corpus."""

from tests.release.revision_corpus import safe_expands, safe_operations
from tests.release.revision_corpus.cases import Safe

SAFE: tuple[Safe, ...] = (*safe_expands.SAFE, *safe_operations.SAFE)
