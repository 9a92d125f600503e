"""A browser that gives a busy machine time."""

WAITS_MS = 300_000  # for what comes at once on a quiet one


def patient_context(browser, **options):
    """Return a context of its own whose actions wait as long as that."""
    context = browser.new_context(**options)
    context.set_default_timeout(WAITS_MS)
    return context
