"""The whole document, in the order of PS3.2 annex N."""

from dicom_node.conformance.configuration import configuration
from dicom_node.conformance.document import Document
from dicom_node.conformance.facts import Facts
from dicom_node.conformance.instances import created_instances, instances
from dicom_node.conformance.network import network
from dicom_node.conformance.overview import implementation_model, introduction, overview
from dicom_node.conformance.proposed import used
from dicom_node.conformance.security import security
from dicom_node.conformance.services import services
from dicom_node.conformance.statuses import statuses
from dicom_node.peer_doctor.synthetic import SyntheticStudy
from dicom_node.scp.offered import offered


def statement(facts: Facts, study: SyntheticStudy) -> Document:
    """The statement of a node; `study` is an example of its work, made on no patient."""
    created = created_instances(study)
    provided, users = offered(), used(facts, created)
    return Document(
        title=f"DICOM Conformance Statement: {facts.model_name} {facts.version}",
        lead=(
            (
                f"Manufacturer: {facts.manufacturer}. Station: {facts.station_name}. AE title: "
                f"{facts.ae_title}. Written on {facts.made_at:%Y-%m-%d} from the configuration in "
                "force."
            ),
        ),
        sections=(
            overview(facts, provided, users),
            introduction(),
            implementation_model(facts),
            services(facts, provided, users),
            statuses(),
            configuration(facts),
            network(facts),
            security(facts),
            instances(created),
        ),
    )
