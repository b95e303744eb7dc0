"""Settings shared by all tests."""

from __future__ import annotations

import os

from hypothesis import settings

# No deadline: run times vary by a factor of ten between the compiled and the plain form.
settings.register_profile("default", deadline=None, max_examples=60, print_blob=True)
settings.register_profile("thorough", deadline=None, max_examples=1000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
