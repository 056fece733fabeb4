"""ResNeXt: residual networks whose 3x3 convolutions are split into many groups and made wider for it.

Xie, Girshick, Dollár, Tu, He, "Aggregated residual transformations for deep neural networks", arXiv:1611.05431,
Table 1: ResNeXt-50 (32x4d) with 25.0 M parameters and 4.2 G multiply-adds. ResNeXt-101 32x8d is of Mahajan et al.,
arXiv:1805.00932, Table 3 (88 M, 16 G). The digits are torchvision's. Strides are the 3x3 convolutions'.
"""

from tinycnn.models.architectures import Architecture, Published
from tinycnn.models.networks.resnet import resnet

PAPER = "Xie et al., arXiv:1611.05431"
SOURCE = "torchvision, models/resnet.py"
NETWORKS = (
    Architecture(
        "resnext50_32x4d", 2016, PAPER, resnet, Published("25,028,904", "4.23 G", SOURCE),
        {"depths": (3, 4, 6, 3), "width": 32 * 4, "group": 32, "stride_at": "3x3"},
    ),
    Architecture(
        "resnext101_32x8d", 2016, PAPER, resnet, Published("88,791,336", "16.414 G", SOURCE),
        {"depths": (3, 4, 23, 3), "width": 32 * 8, "group": 32, "stride_at": "3x3"},
    ),
)  # fmt: skip
