"""Sentences of the control side: requests, policy, quota, sagas, records, messages."""

from minicloud.cli.sentences.facts import Facts, Said, Sentence, Tell, amounts, listed


def _request(f: Facts) -> Said:
    who = f" for {f.called(f.get('user'))}" if f.get("user") else ""
    version = f" at version {f.get('version')}" if f.get("version") else ""
    return f"{f['method']} {f['path']}{version} was answered {f['status']}{who}"


def _policy(f: Facts) -> Said:
    verdict = "allows it" if f["allowed"] else "forbids it"
    return f"policy {f['rule']} {verdict}: {f['check']}"


def _quota(f: Facts) -> Said:
    asked, used = f["asked"], f["used"]
    parts = [f"{more} more {name} beside {used.get(name, 0)}" for name, more in asked.items()]
    verdict = f"{listed(f['overs'])} would be exceeded" if f["overs"] else "it fits"
    return f"quota of {f['service']} for project {f.name('project')}: {listed(parts)}: {verdict}"


def _fault(f: Facts) -> Said:
    if "verb" in dict(f.items()):
        delay = f" delays by {f['delay_s']} s" if f.get("delay_s") else ""
        return f"an injected fault meets {f['verb']} on {f['host']}{delay}" + (
            f": {f['error']}" if f.get("error") else ""
        )
    return f"refused ({f['meaning']}): {f['message']}"


def _defect(f: Facts) -> Said:
    trail = str(f["trail"]).rstrip().splitlines()
    return Sentence(f"a defect of minicloud: {trail[-1] if trail else 'unknown'}", trail)


def _server_asked(f: Facts) -> Said:
    image = f" from image {f.name('image')}" if f.get("image") else " without an image"
    return f"server {f['name']} is written down: flavor {f['flavor']}{image}; from now on it is promised"


def _server_taken(f: Facts) -> Said:
    return f"the server is taken for {f['action']}: its task is {f.get('task_state') or 'none'} until that has ended"


_EVENTS = {
    "started": "begins",
    "done": "is done",
    "failed": "failed",
    "undone": "is taken back",
    "undo_failed": "could not be taken back",
}


def _saga_step(f: Facts) -> Said:
    attempt = f", attempt {f['attempt']}" if f["attempt"] > 1 else ""
    why = f": {f['error']}" if f.get("error") else ""
    return f"{f['saga']}: step {f['step']} {_EVENTS[f['event']]}{attempt}{why}"


_STATES = {
    "running": "goes on",
    "retrying": "turns back to try again elsewhere",
    "unwinding": "turns back: everything begun is taken back",
    "finished": "has finished",
    "rolled_back": "is rolled back: nothing of it is left",
    "stuck": "is stuck: what it began could not be taken back",
}


def _saga(f: Facts) -> Said:
    return f"{f['saga']} {_STATES[f['state']]}" + (f" ({f['error']})" if f.get("error") else "")


def _step(f: Facts) -> Said:
    return f"{f['saga']}: working on step {f['step']}"


def _undo(f: Facts) -> Said:
    return f"{f['saga']}: taking back step {f['step']}"


def _saga_retry(f: Facts) -> Said:
    return f"step {f['step']} is tried again in {f['in_s']:g} s: {f['error']}"


def _recover(f: Facts) -> Said:
    decisions = {"resume": "it goes on", "roll_back": "it is rolled back", "stuck": "it stays stuck"}
    return f"after a restart {f['saga']} is found {f['state']}: {decisions[f['decision']]}"


def _waiting(f: Facts) -> Said:
    return f"waiting until {listed(f['sagas'])} {'has' if len(f['sagas']) == 1 else 'have'} ended"


_ACTS = {"call": "asked", "cast": "told", "handle": "did", "fan_out": "told everybody"}


def _message(f: Facts) -> Said:
    host = "the control side" if f["host"] == "control" else f"host {f['host']}"
    if f["act"] == "handle":
        return f"{host} handled {f['type']}"
    return f"{_ACTS[f['act']]} {host}: {f['type']}"


def _port_created(f: Facts) -> Said:
    return (
        f"port {f['port']} is made on network {f.name('network')} with {listed(f['addresses'], nothing='no address')}"
    )


def _ended(f: Facts) -> Said:
    return f"server {f.name('server')} is deleted"


def _keypair(f: Facts) -> Said:
    return f"keypair {f['name']} is written down ({f['fingerprint']})"


def _sign_in(f: Facts) -> Said:
    return f"{f.called(f['user'])} " + ("signs in" if f["let_in"] else f"is not let in: {f['why']}")


def _claim(f: Facts) -> Said:
    parts = [f"{amounts(taken)} on {f.called(provider)}" for provider, taken in f["allocations"].items()]
    return f"claimed: {listed(parts)}"


SENTENCES: dict[str, Tell] = {
    "request": _request,
    "policy": _policy,
    "quota": _quota,
    "fault": _fault,
    "defect": _defect,
    "server_asked": _server_asked,
    "server_taken": _server_taken,
    "server_deleted": _ended,
    "saga_step": _saga_step,
    "saga": _saga,
    "step": _step,
    "undo": _undo,
    "saga_retry": _saga_retry,
    "recover": _recover,
    "waiting": _waiting,
    "message": _message,
    "port_created": _port_created,
    "port_deleted": lambda f: f"port {f['port']} is deleted",
    "port_bound": lambda f: f"port {f['port']} is bound to host {f['host']} for {f.name('device')}",
    "port_active": lambda f: f"port {f['port']} is active on host {f['host']}",
    "port_freed": lambda f: f"port {f['port']} is let go of by {f.name('device')}",
    "ports_not_had": lambda f: f"the server's ports could not be had: {f['why']}",
    "addresses_exhausted": lambda f: f"network {f.name('network')} has no free address left in {listed(f['subnets'])}",
    "keypair_created": _keypair,
    "sign_in": _sign_in,
    "token_refused": lambda f: f"the token is refused: {f['why']}",
    "disconnected": lambda f: f"the client went away during {f['method']} {f['path']}",
    "claim": _claim,
    "claim_refused": lambda f: f"the claim on {f.name('provider')} is refused: {f['why']}",
    "freed": lambda f: f"the claim is given back on {listed(f.called(one) for one in f['providers'])}",
    "handed_over": lambda f: f"the claim of {f['consumer']} now belongs to {f['to']}",
    "notes_lost": lambda f: f"{f['count']} notes were lost: the disk did not keep up",
    "saga_interrupted": lambda f: f"the database is away: the work goes on in {f['in_s']:g} s ({f['error']})",
    "leftovers_stay": lambda f: f"host {f['host']} could not be cleaned up: {f['error']}",
    "group_commit": lambda f: f"{f['writers']} transactions shared one commit",
    "network_lost": lambda f: f"host {f['host']} has lost network {f.name('network')}: {f['error']}",
    "wired": lambda f: (
        f"networks {listed(map(f.called, f['networks']))} stand on host {f['host']}"
        + (f", of which {listed(map(f.called, f['sent']))} had to be sent" if f["sent"] else "")
        + (f"; these failed: {listed(map(f.called, f['failed']))}" if f["failed"] else "")
    ),
    "networks_sent": lambda f: (
        f"host {f['host']} was told of networks {listed(map(f.called, f['networks']))}"
        + (f"; these failed: {listed(map(f.called, f['failed']))}" if f["failed"] else "")
    ),
    "default_security_group": lambda f: f"project {f.name('project')} gets its default security group",
    "host_down": lambda f: f"host {f['host']} is down: {f['why']}",
    "host_lost": lambda f: f"host {f['host']} is lost",
    "host_back": lambda f: f"host {f['host']} is back",
    "soft_reboot_ignored": lambda f: f"the guest did not react within {f['grace_s']:g} s: it is reset instead",
    "blob_put": lambda f: f"bytes are stored under {f['key']}",
}
