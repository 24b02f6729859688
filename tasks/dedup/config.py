"""When two rows are the same row: the identity config of `dedup`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tasks.core.identity import Frozen

#: Raised whenever the meaning of a kept row changes. A change to `tasks.core.text.words` is one.
STAGE_VERSION = 1

#: question: what the user asks (a document has no question, so all of it); questions of other numbers are other
#: questions. text: all that is trained on.
Key = Literal["question", "text"]


class DedupConfig(Frozen):
    """What of a row is compared, how alike is the same, and how candidates are found.

    Two rows are near-duplicates where their keys' sets of word shingles have a Jaccard similarity of `threshold` or
    more. MinHash LSH only proposes the pairs: it misses one of similarity s with probability (1 - s^rows)^bands, and
    every pair that it proposes is verified exactly.

    Attributes:
        key: the part of a row that is compared.
        shingle_words: how many consecutive words make a shingle; a shorter key is one shingle.
        threshold: the least Jaccard similarity, 0 to 1, of two near-duplicates.
        bands: into how many bands a signature is cut; two rows that agree on all of one are a candidate pair.
        rows: how many permutations a band has; a signature has ``bands * rows`` of them.
        seed: draws the permutations.
        priority: names of sources, best first: of near-duplicates the row of the best source is kept. Sources that are
            not named come last, all alike.
    """

    key: Key = "question"
    shingle_words: int = Field(default=3, ge=1)
    threshold: float = Field(default=0.8, gt=0, le=1)
    bands: int = Field(default=21, ge=1)
    rows: int = Field(default=6, ge=1)
    seed: int = Field(default=0, ge=0)
    priority: tuple[str, ...] = ()

    @property
    def permutations(self) -> int:
        """How many permutations a signature has."""
        return self.bands * self.rows


#: Short texts, such as problems: 126 permutations find a pair of similarity 0.8 with 99.8 %, one of 0.5 with 28 %.
FOR_QUESTIONS = DedupConfig()
#: Long texts, such as books and web pages: the shingles and bands of datatrove's MinhashConfig, 14 x 8 over 5 words.
FOR_TEXTS = DedupConfig(key="text", shingle_words=5, bands=14, rows=8)
