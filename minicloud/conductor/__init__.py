"""Work that takes several steps, each with its undo: durable sagas. Root files are the machine, subfolders the sagas of each service.

``step`` says what a saga is, ``log`` what is written of it, ``plan`` what comes next (a pure function), ``executor`` does it,
``recovery`` takes up at start what an earlier process left. May import base, core, agent.calls and the engines' promises.
"""
