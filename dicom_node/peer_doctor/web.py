"""A DICOMweb service tried: the connection, its certificate, a search (PS3.18)."""

import ssl
from urllib.parse import urlsplit

from dicom_node.dicomweb.errors import WebError, WebRefusedError
from dicom_node.dicomweb.searching import search_instances, search_studies
from dicom_node.dicomweb.session import WebService, open_session
from dicom_node.peer_doctor import advice
from dicom_node.peer_doctor.reaching import reach
from dicom_node.peer_doctor.steps import Step, Steps, Verdict
from dicom_node.peer_doctor.synthetic import PATIENT_ID
from dicom_node.peer_doctor.trusting import handshake_steps
from dicom_node.scu.query import StudyQuery

_PORTS = {"http": 80, "https": 443}


def connect(service: WebService) -> Steps:
    """Look its host up and connect."""
    host, port = _address(service)
    return reach(host, port, service.connect_timeout_s)


def secure(service: WebService) -> Steps:
    """Shake hands where it is called by https."""
    if not service.url.startswith("https:"):
        yield Step("TLS", Verdict.SKIPPED, "an http url: patients' data travel in plain text")
        return
    context = ssl.create_default_context(cafile=str(service.ca) if service.ca else None)
    if service.certificate and service.key:
        context.load_cert_chain(service.certificate, service.key)
    host, port = _address(service)
    yield from handshake_steps(host, port, context, host, service.connect_timeout_s)


def search(service: WebService) -> Steps:
    """Search for the synthetic patient, who should not be there."""
    try:
        with open_session(service) as session:
            found = search_studies(session, service, StudyQuery(patient_id=PATIENT_ID))
    except WebError as error:
        yield Step("search (QIDO-RS)", Verdict.FAILS, str(error), on_web_error(error))
        return
    yield Step("search (QIDO-RS)", Verdict.WORKS, traces(len(found)))


def find(service: WebService, study_instance_uid: str, series_instance_uid: str) -> list[str]:
    """The SOP Instance UIDs that it has of a study, or of one of its series.

    Raises:
        WebError: it could not be asked.
    """
    with open_session(service) as session:
        found = search_instances(session, service, study_instance_uid, series_instance_uid)
    return [item.sop_instance_uid for item in found]


def traces(studies: int) -> str:
    """What a search for the synthetic patient found, in words."""
    if not studies:
        return "it answers"
    return f"it answers; studies of earlier tests (patient ID {PATIENT_ID}): {studies}"


def on_web_error(error: WebError) -> str:
    """What to change where the service refused."""
    if not isinstance(error, WebRefusedError):
        return advice.ON_ANYTHING
    return {
        401: "here: give `user` and `password`, or a `bearer_token`, that it knows",
        403: "there: give our user the right to do this",
        404: "here: `url` is not the root of its DICOMweb service: ask there for the path",
        405: "there: it does not offer this transaction",
    }.get(error.status, "there: see its log for the meaning of this status")


def _address(service: WebService) -> tuple[str, int]:
    parts = urlsplit(service.url)
    return parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
