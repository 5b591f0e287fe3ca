"""A sentence for each word of the trace: ``control`` for requests and sagas, ``placing`` for the scheduler, ``moves`` for moves, ``volumes``
for block storage, ``images`` for images, ``host`` for the agents.

A word without a sentence, and a note whose facts are not what its sentence expects, is shown with its facts as they are.
"""

from minicloud.base.trace import Note
from minicloud.cli.sentences import control, host, images, moves, placing, volumes
from minicloud.cli.sentences.facts import Facts, Said, Sentence, plain

__all__ = ["SENTENCES", "Facts", "Sentence", "sentence_of"]

SENTENCES = (
    control.SENTENCES | placing.SENTENCES | moves.SENTENCES | host.SENTENCES | images.SENTENCES | volumes.SENTENCES
)
"""By word: a function of the facts."""


def sentence_of(note: Note, facts: Facts) -> Sentence:
    """What a note says in words, with further lines where there is more to show."""
    tell = SENTENCES.get(note.word)
    if tell is not None:
        try:
            said: Said = tell(facts)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError):
            pass  # written by another version, with other facts: they are shown as they are
        else:
            sentence = Sentence(said) if isinstance(said, str) else said
            error = facts.get("error")
            if error and str(error) not in sentence.text:
                return Sentence(f"{sentence.text}; it failed: {error}", sentence.more)
            return sentence
    return Sentence(plain(note.word, facts))
