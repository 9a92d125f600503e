"""Why a classifier says what it says of an image: where it looked, which images it resembles."""
