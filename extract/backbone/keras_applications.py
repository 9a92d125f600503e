"""Every model of keras.applications, as data: so that none need be built to be listed.

Columns: builder, module of its preprocessing, side of its square input in pixels, layer tapped,
channels of that layer, millions of parameters, megabytes of the two largest neighbouring
activations of one image in float32, billions of multiply-adds an image, address and checksum of its ImageNet weights without the
classifier, and Keras' name for that file where its address ends otherwise. A test holds the table against the Keras installed.
"""

from __future__ import annotations

from typing import NamedTuple

_KERAS = "https://storage.googleapis.com/tensorflow/keras-applications"
_KERAS_2 = "https://storage.googleapis.com/keras-applications"


class Row(NamedTuple):
    """One model."""

    builder: str
    module: str
    side: int
    layer: str
    dimension: int
    parameters: float
    activation_mb: int
    multiply_adds: float
    url: str
    checksum: str | None
    renamed: str = ""

    @property
    def file(self) -> str:
        """Keras' name for the weights' file."""
        return self.renamed or self.url.rpartition("/")[2]


# fmt: off
ROWS = (
    Row("ConvNeXtBase", "convnext", 224, "top", 1024, 87.6, 12, 15.4,
     f"{_KERAS}/convnext/convnext_base_notop.h5", "40a20c5548a5e9202f69735ecc06c990e6b7c9d2de39f0361e27baeb24cb7c45"),
    Row("ConvNeXtLarge", "convnext", 224, "top", 1536, 196.2, 18, 34.4,
     f"{_KERAS}/convnext/convnext_large_notop.h5", "96f02b6f0753d4f543261bc9d09bed650f24dd6bc02ddde3066135b63d23a1cd"),
    Row("ConvNeXtSmall", "convnext", 224, "top", 768, 49.5, 9, 8.68,
     f"{_KERAS}/convnext/convnext_small_notop.h5", "6fc8009faa2f00c1c1dfce59feea9b0745eb260a7dd11bee65c8e20843da6eab"),
    Row("ConvNeXtTiny", "convnext", 224, "top", 768, 27.8, 9, 4.45,
     f"{_KERAS}/convnext/convnext_tiny_notop.h5", "d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1"),
    Row("ConvNeXtXLarge", "convnext", 224, "top", 2048, 348.1, 24, 60.9,
     f"{_KERAS}/convnext/convnext_xlarge_notop.h5", "de3f8a54174130e0cecdc71583354753d557fcf1f4487331558e2a16ba0cfe05"),
    Row("DenseNet121", "densenet", 224, "relu", 1024, 7.0, 6, 2.83,
     f"{_KERAS}/densenet/densenet121_weights_tf_dim_ordering_tf_kernels_notop.h5", "30ee3e1110167f948a6b9946edeeb738"),
    Row("DenseNet169", "densenet", 224, "relu", 1664, 12.6, 6, 3.36,
     f"{_KERAS}/densenet/densenet169_weights_tf_dim_ordering_tf_kernels_notop.h5", "b8c4d4c20dd625c148057b9ff1c1176b"),
    Row("DenseNet201", "densenet", 224, "relu", 1920, 18.3, 6, 4.29,
     f"{_KERAS}/densenet/densenet201_weights_tf_dim_ordering_tf_kernels_notop.h5", "c13680b51ded0fb44dff2d8f86ac8bb1"),
    Row("EfficientNetB0", "efficientnet", 224, "top_activation", 1280, 4.0, 9, 0.385,
     f"{_KERAS_2}/efficientnetb0_notop.h5", "50bc09e76180e00e4465e1a485ddc09d"),
    Row("EfficientNetB1", "efficientnet", 240, "top_activation", 1280, 6.6, 11, 0.686,
     f"{_KERAS_2}/efficientnetb1_notop.h5", "74c4e6b3e1f6a1eea24c589628592432"),
    Row("EfficientNetB2", "efficientnet", 260, "top_activation", 1408, 7.8, 12, 0.992,
     f"{_KERAS_2}/efficientnetb2_notop.h5", "111f8e2ac8aa800a7a99e3239f7bfb39"),
    Row("EfficientNetB3", "efficientnet", 300, "top_activation", 1536, 10.8, 25, 1.83,
     f"{_KERAS_2}/efficientnetb3_notop.h5", "af6d107764bb5b1abb91932881670226"),
    Row("EfficientNetB4", "efficientnet", 380, "top_activation", 1792, 17.7, 40, 4.39,
     f"{_KERAS_2}/efficientnetb4_notop.h5", "ebc24e6d6c33eaebbd558eafbeedf1ba"),
    Row("EfficientNetB5", "efficientnet", 456, "top_activation", 2048, 28.5, 57, 10.3,
     f"{_KERAS_2}/efficientnetb5_notop.h5", "38879255a25d3c92d5e44e04ae6cec6f"),
    Row("EfficientNetB6", "efficientnet", 528, "top_activation", 2304, 41.0, 102, 19.1,
     f"{_KERAS_2}/efficientnetb6_notop.h5", "9ecce42647a20130c1f39a5d4cb75743"),
    Row("EfficientNetB7", "efficientnet", 600, "top_activation", 2560, 64.1, 132, 37.7,
     f"{_KERAS_2}/efficientnetb7_notop.h5", "cbcfe4450ddf6f3ad90b1b398090fe4a"),
    Row("EfficientNetV2B0", "efficientnet_v2", 224, "top_activation", 1280, 5.9, 3, 0.717,
     f"{_KERAS}/efficientnet_v2/efficientnetv2-b0_notop.h5", "893217f2bb855e2983157299931e43ff"),
    Row("EfficientNetV2B1", "efficientnet_v2", 240, "top_activation", 1280, 6.9, 4, 1.2,
     f"{_KERAS}/efficientnet_v2/efficientnetv2-b1_notop.h5", "0e80663031ca32d657f9caa404b6ec37"),
    Row("EfficientNetV2B2", "efficientnet_v2", 260, "top_activation", 1408, 8.8, 4, 1.7,
     f"{_KERAS}/efficientnet_v2/efficientnetv2-b2_notop.h5", "1dfe2e7a5d45b6632553a8961ea609eb"),
    Row("EfficientNetV2B3", "efficientnet_v2", 300, "top_activation", 1536, 12.9, 7, 3.01,
     f"{_KERAS}/efficientnet_v2/efficientnetv2-b3_notop.h5", "f6abf7b5849ac99a89b50dd3fd532856"),
    Row("EfficientNetV2L", "efficientnet_v2", 480, "top_activation", 1280, 117.7, 28, 56.1,
     f"{_KERAS}/efficientnet_v2/efficientnetv2-l_notop.h5", "b0b66b5c863aef5b46e8608fe1711615"),
    Row("EfficientNetV2M", "efficientnet_v2", 480, "top_activation", 1280, 53.2, 21, 24.6,
     f"{_KERAS}/efficientnet_v2/efficientnetv2-m_notop.h5", "1b8dc055df72dde80d614482840fe342"),
    Row("EfficientNetV2S", "efficientnet_v2", 384, "top_activation", 1280, 20.3, 14, 8.36,
     f"{_KERAS}/efficientnet_v2/efficientnetv2-s_notop.h5", "af0682fb74e8c54910f2d4393339c070"),
    Row("InceptionResNetV2", "inception_resnet_v2", 299, "conv_7b_ac", 1536, 54.3, 11, 13.2,
     f"{_KERAS}/inception_resnet_v2/inception_resnet_v2_weights_tf_dim_ordering_tf_kernels_notop.h5", "d19885ff4a710c122648d3b5c3b684e4"),
    Row("InceptionV3", "inception_v3", 299, "mixed10", 2048, 21.8, 11, 5.71,
     f"{_KERAS}/inception_v3/inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5", "bcbd6486424b2319ff4ef7d526e38f63"),
    Row("MobileNet", "mobilenet", 224, "conv_pw_13_relu", 1024, 3.2, 6, 0.568,
     f"{_KERAS}/mobilenet/mobilenet_1_0_224_tf_no_top.h5", None),
    Row("MobileNetV2", "mobilenet_v2", 224, "out_relu", 1280, 2.3, 9, 0.299,
     f"{_KERAS}/mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5", None),
    Row("MobileNetV3Large", "mobilenet_v3", 224, "top", 960, 3.0, 6, 0.214,
     f"{_KERAS}/mobilenet_v3/weights_mobilenet_v3_large_224_1.0_float_no_top_v2.h5", "07fb09a5933dd0c8eaafa16978110389"),
    Row("MobileNetV3Small", "mobilenet_v3", 224, "top", 576, 0.9, 2, 0.0549,
     f"{_KERAS}/mobilenet_v3/weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5", "d3e8ec802a04aa4fc771ee12a9a9b836"),
    Row("NASNetLarge", "nasnet", 331, "top", 4032, 84.9, 21, 23.8,
     f"{_KERAS}/nasnet/NASNet-large-no-top.h5", "d81d89dc07e6e56530c4e77faddd61b5", "nasnet_large_no_top.h5"),
    Row("NASNetMobile", "nasnet", 224, "top", 1056, 4.3, 3, 0.563,
     f"{_KERAS}/nasnet/NASNet-mobile-no-top.h5", "1ed92395b5b598bdda52abe5c0dbfd63", "nasnet_mobile_no_top.h5"),
    Row("ResNet101", "resnet", 224, "conv5_block3_out", 2048, 42.7, 6, 7.57,
     f"{_KERAS}/resnet/resnet101_weights_tf_dim_ordering_tf_kernels_notop.h5", "88cf7a10940856eca736dc7b7e228a21"),
    Row("ResNet101V2", "resnet_v2", 224, "post_relu", 2048, 42.6, 6, 7.19,
     f"{_KERAS}/resnet/resnet101v2_weights_tf_dim_ordering_tf_kernels_notop.h5", "c0ed64b8031c3730f411d2eb4eea35b5"),
    Row("ResNet152", "resnet", 224, "conv5_block3_out", 2048, 58.4, 6, 11.3,
     f"{_KERAS}/resnet/resnet152_weights_tf_dim_ordering_tf_kernels_notop.h5", "ee4c566cf9a93f14d82f913c2dc6dd0c"),
    Row("ResNet152V2", "resnet_v2", 224, "post_relu", 2048, 58.3, 6, 10.9,
     f"{_KERAS}/resnet/resnet152v2_weights_tf_dim_ordering_tf_kernels_notop.h5", "ed17cf2e0169df9d443503ef94b23b33"),
    Row("ResNet50", "resnet", 224, "conv5_block3_out", 2048, 23.6, 6, 3.86,
     f"{_KERAS}/resnet/resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5", "4d473c1dd8becc155b73f8504c6f6626"),
    Row("ResNet50V2", "resnet_v2", 224, "post_relu", 2048, 23.6, 6, 3.48,
     f"{_KERAS}/resnet/resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5", "fac2f116257151a9d068a22e544a4917"),
    Row("VGG16", "vgg16", 224, "block5_pool", 512, 14.7, 24, 15.3,
     f"{_KERAS}/vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5", "6d6bbae143d832006294945121d1f1fc"),
    Row("VGG19", "vgg19", 224, "block5_pool", 512, 20.0, 24, 19.5,
     f"{_KERAS}/vgg19/vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5", "253f8cb515780f3b799900260a226db6"),
    Row("Xception", "xception", 299, "block14_sepconv2_act", 2048, 20.9, 21, 8.36,
     f"{_KERAS}/xception/xception_weights_tf_dim_ordering_tf_kernels_notop.h5", "b0042744bf5b25fce3cb969f33bebb97"),
)
# fmt: on
