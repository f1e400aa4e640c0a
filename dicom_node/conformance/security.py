"""Section 8: transport, access and audit."""

from dicom_node.audit_messages.kinds import KINDS
from dicom_node.conformance.document import Section, Table
from dicom_node.conformance.facts import Facts
from dicom_node.tls.profile import MINIMUM_VERSION, SUITES

_ACCESS = (
    "Associations are accepted as section 7 says; what a peer may do is a list of rights. User "
    "identity negotiation (PS3.7 D.3.3.7) is not supported. Administrators work on the machine "
    "itself, under their own names, and what they look at of patients is audited."
)
_AUDIT = (
    "The node keeps an audit of its own, sealed by a hash chain, and tells audit repositories by "
    "the messages of PS3.15 A.5 over syslog with TLS (A.6)"
)


def security(facts: Facts) -> Section:
    """TLS, access control, audit trail."""
    repositories = facts.audit_repositories or "none"
    told = f"{_AUDIT}: {', '.join(KINDS)}. Repositories as configured: {repositories}."
    return Section(
        "Security",
        sections=(
            Section("Secure transport", (_transport(facts),)),
            Section("Access control", (_ACCESS,)),
            Section("Audit trail", (told,)),
        ),
    )


def _transport(facts: Facts) -> Table:
    by_tls = [item.name for item in facts.partners if item.tls]
    plain = [item.name for item in facts.partners if not item.tls]
    rows = [
        ("Profile", "BCP 195 RFC 8996, 9325 TLS Secure Transport Connection Profile (PS3.15 B.12)"),
        ("Versions", f"from {MINIMUM_VERSION.name} on"),
        ("Cipher suites of TLS 1.2", ", ".join(SUITES)),
        ("Certificates", "shown by both sides; each partner's own is named, pinned, or by issuer"),
        ("Revocation lists", "looked at where configured"),
        ("Partners by TLS as configured", ", ".join(by_tls) or "none"),
        ("Partners in plain text as configured", ", ".join(plain) or "none"),
    ]
    return Table("Secure transport", ("Item", "Support"), rows)
