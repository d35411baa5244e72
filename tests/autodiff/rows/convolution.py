"""Rows for convolutions: every layout, stride, padding, dilation and kind of groups."""

from jax import lax

from tests.autodiff.rows import Row, draws, normal


def _conv(strides=(1, 1), padding="VALID", layout=("NHWC", "HWIO", "NHWC"), **settings):
    return lambda x, w: lax.conv_general_dilated(x, w, strides, padding, dimension_numbers=layout, **settings)


X, W = normal(2, 5, 6, 2), normal(3, 2, 2, 3)
LAST = ("NWC", "WIO", "NWC")
DEEP = ("NDHWC", "DHWIO", "NDHWC")

MISPLACED = "XLA's convolution in float32 on CPU misplaces padding that is negative in front and positive behind"

TWICE = {"strides", "everything", "odd_layout", "groups_channels_first", "batch_groups_odd_layout"}

ROWS = [
    Row(
        "conv_general_dilated",
        name,
        f,
        draws(x, w),
        order=2 if name in TWICE else 1,
        differs=MISPLACED if name == "negative_padding" else "",
    )
    for name, f, x, w in [
        ("valid", _conv(), X, W),
        ("same", _conv(padding="SAME"), X, W),
        ("strides", _conv((2, 3), "SAME"), X, W),
        ("strides_leave_a_rest", _conv((2, 2)), normal(2, 6, 7, 2), W),
        ("uneven_padding", _conv(padding=((2, 0), (1, 3))), X, W),
        ("negative_padding", _conv(padding=((-1, 1), (0, -2))), X, W),
        ("padding_beyond_the_kernel", _conv((2, 2), ((1, 0), (2, 1))), X, normal(1, 2, 2, 3)),
        ("kernel_dilation", _conv(rhs_dilation=(2, 3), padding="SAME"), X, W),
        ("input_dilation", _conv(lhs_dilation=(2, 3), padding=((1, 2), (2, 0))), X, W),
        ("everything", _conv((2, 1), ((1, 2), (3, 1)), lhs_dilation=(3, 2), rhs_dilation=(1, 2)), X, W),
        ("channels_first", _conv(layout=("NCHW", "OIHW", "NCHW")), normal(2, 2, 5, 4), normal(3, 2, 2, 3)),
        ("odd_layout", _conv((2, 1), "SAME", ("CWNH", "WOHI", "HNCW")), normal(2, 5, 2, 4), normal(2, 3, 3, 2)),
        ("groups", _conv(feature_group_count=2), normal(2, 4, 4, 4), normal(2, 2, 2, 6)),
        ("depthwise", _conv((2, 2), "SAME", feature_group_count=3), normal(2, 4, 5, 3), normal(2, 2, 1, 6)),
        (
            "groups_channels_first",
            _conv((1, 2), "SAME", ("NCHW", "OIHW", "NCHW"), feature_group_count=2, rhs_dilation=(2, 1)),
            normal(2, 4, 4, 5),
            normal(4, 2, 2, 3),
        ),
        ("batch_groups", _conv(batch_group_count=2), normal(4, 4, 4, 2), normal(2, 3, 2, 6)),
        (
            "batch_groups_odd_layout",
            _conv((2, 1), "SAME", ("CWNH", "WOHI", "HNCW"), batch_group_count=2),
            normal(2, 5, 4, 4),
            normal(2, 4, 3, 2),
        ),
        ("one_dimension", _conv((2,), "SAME", LAST), normal(2, 7, 2), normal(3, 2, 2)),
        ("three_dimensions", _conv((1, 2, 1), "SAME", DEEP), normal(1, 3, 4, 3, 2), normal(2, 2, 2, 2, 1)),
        ("no_dimensions", _conv((), (), ("NC", "IO", "NC")), normal(2, 3), normal(3, 2)),
        ("one_by_one", _conv(), X, normal(1, 1, 2, 3)),
        ("transposed", lambda x, w: lax.conv_transpose(x, w, (2, 2), "SAME"), X, W),
    ]
]
