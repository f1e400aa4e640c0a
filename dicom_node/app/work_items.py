"""The composition root's part on work lists; see `app`.

Only the process that delivers loads this.
"""

import functools
from threading import Event

from dicom_node import app
from dicom_node.app import partners
from dicom_node.app.archives import open_archive
from dicom_node.retrieval.criteria import Criteria
from dicom_node.retrieval.pulling import Puller
from dicom_node.scu.work_items import WorkItemQuery
from dicom_node.settings.archives import ArchiveSettings
from dicom_node.settings.destinations import DestinationSettings
from dicom_node.settings.model import Settings
from dicom_node.settings.work_lists import WorkListSettings
from dicom_node.work_items.messages import Location
from dicom_node.work_items.performer import Performer
from dicom_node.work_items.performing import WorkListRules
from inference.exclusions import SCHEME
from inference.types import Code
from storage.database.transactions import Database


def make_performer(settings: Settings) -> Performer:
    """What works off work lists, beside the deliverer in its process."""
    database = app.open_database(settings)
    return Performer([_rules(settings, item, database) for item in settings.work_list], database)


def _rules(settings: Settings, item: WorkListSettings, database: Database) -> WorkListRules:
    station = item.station_name or settings.node.station_name
    archive = next((each for each in settings.archive if each.name == item.archive), None)
    return WorkListRules(
        node=partners.remote_node(settings, item),
        query=WorkItemQuery(item.code, item.station_name),
        station=Code(station, SCHEME, station),
        interval_s=item.interval_s,
        at_once=item.at_once,
        maximum_age_s=item.maximum_age_s,
        locations={each.name: _location(each) for each in settings.destination},
        fetch=functools.partial(_fetch, settings, archive, database) if archive else None,
        shadows=settings.shadows,
    )


def _location(destination: DestinationSettings) -> Location:
    return Location(destination.ae_title or "", (destination.url or "").rstrip("/"))


def _fetch(
    settings: Settings,
    item: ArchiveSettings,
    database: Database,
    study_instance_uid: str,
    stop: Event,
) -> None:
    """Pull one study, as `echonode pull` does."""
    with open_archive(settings, item, database) as archive:
        puller = Puller(database, archive, stop)
        wanted = Criteria(study_instance_uid=study_instance_uid)
        puller.run(puller.order(wanted, priors=0, actor="work item"))
