import pytest

from parking.cache import OpenRedisCache

NOBODY = "redis://127.0.0.1:1/0"


@pytest.mark.promise("S2-17")
@pytest.mark.promise("S3-14")
@pytest.mark.parametrize(
    ("call", "answer"),
    [
        (lambda cache: cache.get("key", "default"), "default"),
        (lambda cache: cache.set("key", 1), None),
        (lambda cache: cache.add("key", 1), True),
        (lambda cache: cache.touch("key"), False),
        (lambda cache: cache.delete("key"), False),
        (lambda cache: cache.get_many(["key"]), {}),
        (lambda cache: cache.set_many({"key": 1}), []),
        (lambda cache: cache.delete_many(["key"]), None),
        (lambda cache: "key" in cache, False),
        (lambda cache: cache.get_or_set("key", lambda: 7), 7),
    ],
)
def test_a_cache_that_is_away_is_an_empty_cache(call, answer):
    assert call(OpenRedisCache(NOBODY, {})) == answer
