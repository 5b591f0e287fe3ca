"""The Image API (Glance v2): a file per resource, listed here."""

from minicloud.api.image import (
    cache,
    data,
    images,
    imports,
    info,
    members,
    metadef_namespaces,
    metadef_objects,
    metadef_properties,
    metadef_resource_types,
    metadef_schemas,
    metadef_tags,
    schemas,
    staging,
    tags,
    tasks,
    versions,
)
from minicloud.api.service import Endpoint, Service
from minicloud.core.policy import OF_PROJECTS

MOUNT = "/image"
ENDPOINT = Endpoint(service_type="image", service_name="glance", path=MOUNT)


def service() -> Service:
    """The service as the door mounts it."""
    return Service(
        name="image",
        dialect="image",
        scopes=OF_PROJECTS,
        json_types=(
            "application/json",
            "application/openstack-images-v2.1-json-patch",
            "application/openstack-images-v2.0-json-patch",
        ),
        mounts=(MOUNT,),
        prefix="/v2",
        routes=[
            *versions.routes,
            *images.routes,
            *data.routes,
            *members.routes,
            *tags.routes,
            *schemas.routes,
            *imports.routes,
            *staging.routes,
            *tasks.routes,
            *cache.routes,
            *info.routes,
            *metadef_namespaces.routes,
            *metadef_objects.routes,
            *metadef_properties.routes,
            *metadef_tags.routes,
            *metadef_resource_types.routes,
            *metadef_schemas.routes,
        ],
        content_type="any",
        slash_at_end="not_found",
    )
