"""What long-lived processes do about their memory."""

import gc


def keep_what_is_loaded() -> None:
    """Everything loaded so far stays: from now on the garbage collector passes over it.

    A process of ours loads some hundred thousand objects at its start, and looks through all of them in every full
    collection otherwise, for nothing.
    """
    gc.collect()
    gc.freeze()
