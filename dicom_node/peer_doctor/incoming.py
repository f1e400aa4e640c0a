"""What the node knows of a system that calls it: when it came, why it was turned away, its rights.

Nobody can be made to call; what stands in the audit is all the evidence there is.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path

from dicom_node.peer_doctor.steps import Step, Steps, Verdict
from dicom_node.scp import rejections
from dicom_node.tls.certificates import describe
from dicom_node.tls.errors import TlsFileError
from storage.audit import trail
from storage.audit.trail import Action, RecordedEvent
from storage.database.transactions import Transaction

#: How far back refusals are looked at.
_RECENT = timedelta(days=7)
_MOST_EVENTS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPeer:
    """A peer of the settings, and where it is to call: `called` such as "ECHONODE, port 11112"."""

    name: str
    ae_title: str
    networks: tuple[IPv4Network | IPv6Network, ...]
    may: tuple[str, ...]
    called: str
    tls: bool = False
    tls_name: str | None = None
    tls_fingerprints: Sequence[str] = ()
    tls_ca: Path | None = None


def examine_peer(tx: Transaction, peer: KnownPeer) -> Steps:
    """Tell what is known of a peer, and what to change where it is turned away."""
    came = _latest(tx, peer, Action.ASSOCIATION_OPENED)
    yield _last_association(peer, came)
    yield from _refusals(tx, peer, came)
    yield _instances(tx, peer)
    yield _rights(peer)
    yield from _certificate(peer)


def _last_association(peer: KnownPeer, came: RecordedEvent | None) -> Step:
    name = "last association"
    if came is None:
        return Step(
            name,
            Verdict.LACKS,
            f"{peer.ae_title} has never connected successfully",
            f"there: call {peer.called}{', with TLS' if peer.tls else ''}, from one of "
            f"{_listed(peer.networks)}, with calling AE title {peer.ae_title}",
        )
    return Step(name, Verdict.WORKS, f"at {_local(came.at)} from {came.address}")


def _refusals(tx: Transaction, peer: KnownPeer, came: RecordedEvent | None) -> Steps:
    refused = [
        event
        for event in trail.search(
            tx,
            since=datetime.now(UTC) - _RECENT,
            action=Action.ASSOCIATION_REFUSED,
            limit=_MOST_EVENTS,
        )
        if _concerns(event, peer)
    ]
    if not refused:
        yield Step("refusals", Verdict.WORKS, f"none in the last {_RECENT.days} days")
        return
    times: Counter[str] = Counter()
    for event in refused:
        times[str(event.detail.get("reason", ""))] += int(event.detail.get("count") or 1)
    for reason, count in times.most_common():
        last = next(event for event in refused if event.detail.get("reason") == reason)
        is_over = came is not None and came.at > last.at
        yield Step(
            "refusals",
            Verdict.LACKS if is_over else Verdict.FAILS,
            f"{count} x {reason}, last at {_local(last.at)} from {last.address}"
            f" as {last.detail.get('calling_aet') or 'nobody'}"
            f"{'; it has connected since' if is_over else ''}",
            _ON_REFUSAL.get(reason, _look_in_log)(peer, last),
        )


def _concerns(event: RecordedEvent, peer: KnownPeer) -> bool:
    """Whether it was this peer: by its AE title, or by its address under a wrong one."""
    if event.detail.get("calling_aet") == peer.ae_title:
        return True
    try:
        address = ip_address(event.address or "")
    except ValueError:
        return False
    # A network of many addresses is nobody's own.
    return any(network.num_addresses == 1 and address in network for network in peer.networks)


def _instances(tx: Transaction, peer: KnownPeer) -> Step:
    stored = _latest(tx, peer, Action.INSTANCE_STORED)
    refused = trail.search(
        tx,
        since=datetime.now(UTC) - _RECENT,
        peer=peer.name,
        action=Action.INSTANCE_REFUSED,
        limit=_MOST_EVENTS,
    )
    last = f"the last was stored at {_local(stored.at)}" if stored else "none was ever stored"
    if not refused:
        return Step("instances", Verdict.WORKS if stored else Verdict.SKIPPED, last)
    reasons = Counter(str(event.detail.get("reason", "")) for event in refused)
    told = ", ".join(f"{count} x {reason}" for reason, count in reasons.most_common(3))
    return Step(
        "instances",
        Verdict.LACKS,
        f"{last}; refused in the last {_RECENT.days} days: {told}",
        f"see `echonode audit --peer {peer.name} --action INSTANCE_REFUSED`",
    )


def _rights(peer: KnownPeer) -> Step:
    if "store" in peer.may:
        return Step("rights", Verdict.WORKS, f"it may {', '.join(peer.may)}")
    return Step(
        "rights",
        Verdict.LACKS,
        f"it may {', '.join(peer.may)}, but not store",
        'here: add "store" to its `may` if it is to send studies',
    )


def _certificate(peer: KnownPeer) -> Steps:
    if not peer.tls:
        yield Step("TLS", Verdict.SKIPPED, "not configured: it comes in plain text and only so")
        return
    rules = [f"named {peer.tls_name}"] if peer.tls_name else []
    rules += [f"with SHA-256 {pin}" for pin in peer.tls_fingerprints]
    try:
        issuers = [found.subject for found in describe(peer.tls_ca)] if peer.tls_ca else []
    except TlsFileError as error:
        yield Step("TLS", Verdict.FAILS, str(error), "here: correct `tls.ca`")
        return
    rules += [f"issued by {subject}" for subject in issuers]
    yield Step("TLS", Verdict.WORKS, f"it must show a certificate {', '.join(rules)}")


def _latest(tx: Transaction, peer: KnownPeer, action: Action) -> RecordedEvent | None:
    found = trail.search(tx, peer=peer.name, action=action, limit=1)
    return found[0] if found else None


Advise = Callable[[KnownPeer, RecordedEvent], str]


def _look_in_log(_peer: KnownPeer, _event: RecordedEvent) -> str:
    return "here: see the node's log of that moment"


def _on_title(peer: KnownPeer, event: RecordedEvent) -> str:
    calling = event.detail.get("calling_aet") or ""
    return f'here: set its `ae_title` to "{calling}"; or there: call as {peer.ae_title}'


def _on_address(peer: KnownPeer, event: RecordedEvent) -> str:
    return (
        f'here: add "{event.address}/32" to its `networks` if this is its address (now '
        f"{_listed(peer.networks)})"
    )


def _on_plain(peer: KnownPeer, _event: RecordedEvent) -> str:
    return f"there: switch TLS on and call {peer.called}; or here: tls = false"


def _on_certificate(_peer: KnownPeer, _event: RecordedEvent) -> str:
    return (
        "here: it came by TLS, but not as agreed: compare `tls.name`, `tls.fingerprints` and "
        "`tls.ca` with the certificate it shows (`echonode tls show FILE`)"
    )


def _on_called(peer: KnownPeer, event: RecordedEvent) -> str:
    called = event.detail.get("called_aet") or ""
    return f'there: it calls "{called}", and the node is {peer.called}'


def _on_many(_peer: KnownPeer, _event: RecordedEvent) -> str:
    return (
        "there: open fewer associations at once; or here: raise `maximum_associations` or "
        "`associations_per_minute`, its own or those of [receive]"
    )


#: By the words under which a refusal stands in the audit.
_ON_REFUSAL: Mapping[str, Advise] = {
    rejections.CALLING_UNKNOWN.reason: _on_title,
    rejections.ADDRESS_DENIED.reason: _on_address,
    rejections.PLAIN_DENIED.reason: _on_plain,
    rejections.CERTIFICATE_DENIED.reason: _on_certificate,
    rejections.CALLED_WRONG.reason: _on_called,
    rejections.TOO_MANY.reason: _on_many,
    rejections.TOO_MANY_OF_PEER.reason: _on_many,
    rejections.TOO_OFTEN.reason: _on_many,
}


def _listed(networks: Sequence[IPv4Network | IPv6Network]) -> str:
    return ", ".join(map(str, networks))


def _local(at: datetime) -> str:
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
