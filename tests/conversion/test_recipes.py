import pytest

from mobiconvert.recipes import RECIPES, find_recipe
from mobisdk.errors import ConfigError


def test_recipes_when_listed_then_names_are_unique_and_make_targets() -> None:
    assert len({recipe.name for recipe in RECIPES}) == len(RECIPES)
    for recipe in RECIPES:
        assert find_recipe(recipe.name, recipe.platform) is recipe
        assert recipe.target.recipe == recipe.name
        assert recipe.needs
        assert recipe.promise


@pytest.mark.parametrize(("platform", "name"), [("android", "xnnpack_fp32"), ("ios", "coreml_fp16")])
def test_find_recipe_when_none_is_named_then_gives_the_platforms_first(platform: str, name: str) -> None:
    assert find_recipe(None, platform).name == name


@pytest.mark.parametrize(
    ("name", "platform", "sentence"),
    [
        ("coreml_fp61", "ios", "Did you mean coreml_fp16?"),
        ("xnnpack_fp32", "ios", "is for android, not for ios"),
        (None, "iphone", "Did you mean --target ios?"),
        (None, "windows", "allowed: android, ios"),
    ],
)
def test_find_recipe_when_wrong_then_says_the_next_step(name: str | None, platform: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        find_recipe(name, platform)
    assert sentence in str(caught.value)
