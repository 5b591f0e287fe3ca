"""Sentences of the scheduler: what was asked of Placement, what each filter said of each host, weights, the choice."""

from minicloud.cli.sentences.facts import Facts, Said, Sentence, Tell, amounts, listed


def _asked(f: Facts) -> Said:
    more = ""
    required = [name for names in f.get("required", []) for name in names]
    if required:
        more += f", with {listed(required)}"
    if f.get("forbidden"):
        more += f", without {listed(f['forbidden'])}"
    if f.get("only") is not None:
        more += f", of {f['only']} host{'' if f['only'] == 1 else 's'} only"
    return f"Placement is asked for {amounts(f['resources'])}{more}"


def _candidates(f: Facts) -> Said:
    count = f["count"]
    if count:
        return f"Placement finds {count} candidate{'' if count == 1 else 's'}"
    room = f.get("why_none")
    return "Placement finds no candidate" + (f"; the most room anywhere is {amounts(room)}" if room else "")


def _filter(f: Facts) -> Said:
    why = f": {f['why']}" if f.get("why") else ""
    if "host" in dict(f.items()):
        return f"filter {f['filter']} {'passes' if f['passed'] else 'refuses'} host {f['host']}{why}"
    examples = [f"{example['host']}: {example['why']}" for example in f.get("examples", [])]
    return Sentence(f"filter {f['filter']} passes {f['passed']} hosts and refuses {f['rejected']}", examples)


def _weigh(f: Facts) -> Said:
    parts = " + ".join(f"{name} {score:.3f}" for name, score in f["scores"].items())
    return f"host {f['host']} weighs {f['total']:.3f}" + (f" = {parts}" if parts else "")


def _selected(f: Facts) -> Said:
    others = f"; alternates {listed(f['alternates'])}" if f.get("alternates") else ""
    return f"host {f['host']} is chosen of {f['of']}{others}"


def _prefilter(f: Facts) -> Said:
    facts = dict(f.items())
    name = f["prefilter"]
    if facts.get("disabled"):
        told = [f"{one['host']}" + (f": {one['why']}" if one["why"] else "") for one in f["disabled"]]
        return Sentence(f"pre-filter {name} leaves out {f['of']} disabled host{'' if f['of'] == 1 else 's'}", told)
    if facts.get("aggregates"):
        zone = f" of zone {f['zone']}" if facts.get("zone") else ""
        return f"pre-filter {name} asks for hosts in {len(f['aggregates'])} aggregate(s){zone}"
    if facts.get("barred"):
        return f"pre-filter {name} leaves out the hosts of {len(f['barred'])} aggregate(s)"
    if facts.get("required"):
        return f"pre-filter {name} asks for hosts with {f['required']}"
    return f"pre-filter {name} asks for nothing: there is no trait {facts.get('unknown', '')}"


SENTENCES: dict[str, Tell] = {
    "prefilter": _prefilter,
    "placement_index": lambda f: f"Placement's index is brought up to date: {f['providers']} providers read",
    "placement_request": _asked,
    "placement_candidates": _candidates,
    "filter": _filter,
    "weigh": _weigh,
    "selected": _selected,
}
