"""An archive that is asked by DICOMweb: QIDO-RS to find, WADO-RS to fetch, one by one."""

from collections.abc import Iterator

import structlog

from dicom_node.dicomweb.errors import WebAnswerError, WebRefusedError
from dicom_node.dicomweb.retrieving import ArrivingInstance, retrieving
from dicom_node.dicomweb.searching import search_instances, search_studies
from dicom_node.dicomweb.session import Session, WebService
from dicom_node.intake.file_meta import file_meta
from dicom_node.intake.keeping import Arrived, Keeper, Origin
from dicom_node.intake.statuses import RefusedError
from dicom_node.retrieval.archive import Fetching
from dicom_node.retrieval.carrier import Carrier
from dicom_node.retrieval.wanted import Wanted
from dicom_node.scu.query import FoundInstance, FoundStudy, StudyQuery
from storage.errors import StorageFullError
from storage.files.spool import IncomingFile, Spool

log = structlog.get_logger()


class WebArchive:
    """A DICOMweb service; `session` is open, and this its only user."""

    def __init__(
        self,
        service: WebService,
        session: Session,
        *,
        spool: Spool,
        keeper: Keeper,
        carrier: Carrier,
    ) -> None:
        self._service = service
        self._session = session
        self._spool = spool
        self._keeper = keeper
        self._carrier = carrier
        self._received_bytes = 0

    @property
    def name(self) -> str:
        """Its name in the settings."""
        return self._service.name

    def find_studies(self, query: StudyQuery) -> list[FoundStudy]:
        """The studies that meet a query."""
        return search_studies(self._session, self._service, query)

    def find_instances(self, study_instance_uid: str) -> list[FoundInstance]:
        """What it lists of a study."""
        return search_instances(self._session, self._service, study_instance_uid)

    def fetch(self, wanted: Wanted, fetching: Fetching) -> int:
        """Bring instances here; one that cannot be had keeps no other back."""
        refused = 0
        with self._carrier.bringing(lambda: self._received_bytes) as origin:
            for number, instance in enumerate(wanted.missing, 1):
                if fetching.stop.is_set():
                    break
                refused += not self._fetch_one(wanted.study_instance_uid, instance, origin)
                fetching.on_progress(number - refused)
        return refused

    def _fetch_one(self, study_uid: str, instance: FoundInstance, origin: Origin) -> bool:
        """Whether it was kept."""
        try:
            with (
                retrieving(self._session, self._service, study_uid, instance) as arriving,
                self._incoming() as file,
            ):
                offset = self._write(arriving, instance, file)
                arrived = Arrived(
                    file=file,
                    offset=offset,
                    sop_class_uid=arriving.sop_class_uid,
                    sop_instance_uid=instance.sop_instance_uid,
                    transfer_syntax_uid=arriving.transfer_syntax_uid,
                )
                self._keeper.keep(arrived, origin)
        except (WebRefusedError, WebAnswerError, RefusedError) as error:
            if isinstance(error, WebRefusedError) and error.concerns_all:
                raise
            log.warning("instance not fetched", peer=self.name, reason=str(error))
            return False
        return True

    def _incoming(self) -> IncomingFile:
        if not self._spool.has_room():
            raise StorageFullError("the spool is below its low-water mark")
        return self._spool.incoming()

    def _write(
        self, arriving: ArrivingInstance, instance: FoundInstance, file: IncomingFile
    ) -> int:
        """Write the file as if it had come by C-STORE; where its dataset begins, in bytes."""
        head = file_meta(
            arriving.sop_class_uid, instance.sop_instance_uid, arriving.transfer_syntax_uid
        )
        file.write(head)
        for chunk in self._counted(arriving.dataset):
            file.write(chunk)
        return len(head)

    def _counted(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self._received_bytes += len(chunk)
            yield chunk
