"""What a classifier is for and where it fails, in sentences made from its card's figures."""

from __future__ import annotations

from collections.abc import Iterator

from ...extract.decode.resize_rules import find_rule
from ...text import shown
from .card_document import CardFacts

FEW = 20  # training images below which a class counts as small
NAMED = 5  # classes that a sentence names


def intended_use(card: CardFacts) -> list[str]:
    """Return what the classifier is for, a sentence each."""
    return [
        (
            f"Labels an image with one of {len(card['classes'])} classes, where it shows one of them, "
            f"taken much as those of {card['data']['name']} were."
        ),
        (
            "It gives a calibrated probability for each class, so that doubtful images can be left to "
            "a person."
        ),
        (
            "It is no ground, by itself, for decisions on people's health, safety, rights or money, "
            "nor for telling who somebody is."
        ),
    ]


def limits(card: CardFacts) -> list[str]:
    """Return where the classifier fails or may fail, a sentence each, the figures' own first."""
    return [
        *_of_the_figures(card),
        *_of_the_data(card),
        *_of_classes(card),
        *_of_strangers(card),
        *_of_the_backbone(card),
    ]


def _of_the_figures(card: CardFacts) -> Iterator[str]:
    evaluation = card["evaluation"]
    n, (low, high) = evaluation["n"], evaluation["figures"]["accuracy"]["ci95"]
    yield (
        f"The figures rest on {n:,} images: one of them is {100 / n:.2g} points of accuracy, whose "
        f"95 % interval is {100 * (high - low):.1f} points wide."
    )
    yield (
        "The images that evaluate come from the same collection as those that trained: with "
        "another camera, place, season or way of choosing images, expect less, and evaluate anew."
    )


def _of_the_data(card: CardFacts) -> Iterator[str]:
    data = card["data"]
    if data["near_leaks"]:
        yield (
            f"{data['near_leaks']:,} training images look nearly the same as images that evaluate, "
            "which flatters the figures."
        )
    else:
        yield (
            "No training image was found to look nearly the same as one that evaluates; copies "
            "that are cropped or altered more are not found."
        )
    if data["failed"]:
        yield f"{data['failed']:,} images could not be used and are in neither part."


def _of_classes(card: CardFacts) -> Iterator[str]:
    rows = card["evaluation"]["per_class"]
    small = [f"{shown(row['label'])} ({row['training']})" for row in rows if row["training"] < FEW]
    if small:
        yield f"Few training images, fewer than {FEW}: {_named(small)}."
    unseen = [shown(row["label"]) for row in rows if not row["images"]]
    if unseen:
        yield f"No image evaluates, so nothing is known of: {_named(unseen)}."
    shares = [(row["recall"], -row["images"], row) for row in rows if row["recall"] is not None]
    recall, _, worst = min(shares, key=lambda share: share[:2])
    if recall < 1 and worst["recall_ci95"] is not None:
        low, high = worst["recall_ci95"]
        yield (
            f"The lowest recall is that of {shown(worst['label'])}: {worst['right']} of "
            f"{worst['images']} (95 % interval {100 * low:.0f} to {100 * high:.0f} %)."
        )


def _named(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _of_strangers(card: CardFacts) -> Iterator[str]:
    yield (
        "An image of anything else gets the name of one of these classes too, perhaps with a high "
        "probability: unlike the training images, it is outside what was evaluated."
    )
    if card["abstention"] is None:
        yield "A fine-tuned network cannot abstain: it has no out-of-fold scores to do so by."
        return
    point = next(point for point in card["abstention"] if point["wished"] == 0.95)
    wrong = ""
    if point["risk"] is not None and point["risk_ci95"] is not None:
        low, high = point["risk_ci95"]
        wrong = (
            f", {100 * point['risk']:.1f} % of them wrongly (95 % interval {100 * low:.1f} to "
            f"{100 * high:.1f} %)"
        )
    yield (
        "predict --abstain 0.95 leaves the most unusual images to a person: it labels "
        f"{100 * point['coverage']:.1f} % of the images that evaluate{wrong}. How many strangers "
        "it lets through was not measured."
    )


def _of_the_backbone(card: CardFacts) -> Iterator[str]:
    backbone, spec = card["backbone"], card["spec"]
    if backbone["weights"] == "imagenet":
        yield (
            f"The backbone, {backbone['name']}, learnt what to see from ImageNet's photographs of "
            "1,000 kinds of things, mostly from the web, mostly one thing in the middle, with "
            "that collection's biases; drawings, X-rays, microscopy, satellite images and text are "
            "far from it."
        )
    else:
        yield (
            f"The backbone's weights are from the file {backbone['weights']}: what it learnt them "
            "from, and with which biases, is not known here."
        )
    size = "{} x {}".format(*spec["input_size"])
    yield f"It sees {find_rule(spec['resize']).sees.format(size=size)}."
