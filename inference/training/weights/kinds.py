"""The published encoders that can be brought, and how their tensors are called there and here.

What was read in public code of the authors in 2026: PanEcho's frame encoder is torchvision's
ConvNeXt-Tiny without its last layer, below `encoder.encoder.model.` of a multi-task model and in
the key "weights" of its file; it was trained on 112 x 112 RGB frames with ImageNet's mean and
standard deviation. EchoPrime's encoder is torchvision's MViT v2 S.
"""

from collections.abc import Mapping
from dataclasses import dataclass

#: What torchvision's and PanEcho's encoders were fed: RGB in 0..1, minus mean, over SD.
IMAGENET_MEAN, IMAGENET_SD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class Kind:
    """One published encoder.

    `architecture` is ours, `prefix` what stands before its names in the file, where anything does.
    `dropped` begin the names, behind the prefix, of what an encoder has no place for. `stem` is the
    first convolution; `norm` the BatchNorm behind it, where the stem has no bias of its own.
    """

    about: str
    architecture: str
    stem: str
    norm: str = ""
    prefix: str = ""
    dropped: tuple[str, ...] = ()


KINDS: Mapping[str, Kind] = {
    "imagenet-resnet50": Kind(
        "torchvision's ResNet50 trained on ImageNet",
        architecture="resnet50",
        stem="conv1",
        norm="bn1",
        dropped=("fc.",),
    ),
    "imagenet-convnext-tiny": Kind(
        "torchvision's ConvNeXt-Tiny trained on ImageNet",
        architecture="convnext_tiny",
        stem="features.0.0",
        dropped=("classifier.2.",),
    ),
    "panecho": Kind(
        "the frame encoder of PanEcho",
        architecture="convnext_tiny",
        stem="features.0.0",
        prefix="encoder.encoder.model.",
    ),
}

#: Published encoders that have no place here, and why.
REFUSED: Mapping[str, str] = {
    "echoprime": (
        "EchoPrime's encoder sees a clip of 16 frames of 224 x 224 at once (MViT v2 S) and gives "
        "one feature for it. Here an encoder sees single frames, which attention then fuses to a "
        "loop: a video encoder has no place in it. Its licence differs by version: that of 2024 "
        "by Cedars-Sinai is for academic and nonprofit research only and forbids passing on what "
        "is derived from it, which a bundle would be"
    ),
}
