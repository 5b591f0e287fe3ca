"""Placement's rules and records: what there is, who has what of it, and where a request could go.

``providers``, ``inventories``, ``traits``, ``resource_classes``, ``aggregates``, ``allocations`` and ``usages`` read and write
the tables; ``index`` keeps a picture of them in memory, exact for each transaction; ``allocation_candidates`` searches that
picture and nothing else. ``Placement`` (in ``index``) is what ``cloud.py`` builds and hands to whoever asks.
"""
