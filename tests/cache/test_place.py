"""Where the cache lies."""

from pathlib import Path

from headstart.cache import cache_folder, default_cache


def test_a_tilde_is_the_users_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder("~/features") == tmp_path / "features"
    monkeypatch.setenv("HEADSTART_CACHE", "~/features")
    assert default_cache() == tmp_path / "features"
    assert cache_folder("a~b") == Path("a~b")
