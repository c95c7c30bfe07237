"""From the bytes of a page to its word counts: charset → text → tokens → words and phrases, in a sandbox."""
