"""The scheduler: which host a server goes to, and why.

``select`` asks Placement for candidates, ``filters`` say no with a reason, ``weighers`` order who is left; a filter or a
weigher is a file. Everything but ``select`` is a pure function of what ``hosts`` puts together, and every step leaves a
note that ``minicloud explain`` turns into words.
"""
