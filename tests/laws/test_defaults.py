"""Law of defaults: a setting that nobody made means what the part that it is for does by itself."""

from minicloud.conductor.world import Options
from minicloud.core.identity.password_rules import PasswordRules
from minicloud.core.image.options import ImageOptions
from minicloud.core.scheduler.options import SchedulerOptions
from minicloud.options import image_options_of, options_of, password_rules_of, scheduler_options_of
from minicloud.settings import Settings


def test_settings_that_nobody_made_are_the_defaults_of_their_parts() -> None:
    settings = Settings()
    assert scheduler_options_of(settings) == SchedulerOptions()
    assert password_rules_of(settings) == PasswordRules()
    assert image_options_of(settings) == ImageOptions()
    assert options_of(settings, "fake") == Options()


def test_every_option_of_the_scheduler_is_a_setting() -> None:
    assert set(SchedulerOptions.__struct_fields__) - set(Settings.__struct_fields__) == set()
