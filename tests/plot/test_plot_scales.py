"""Limits and colour maps: what is shown, and what is left out on purpose."""

import math

import numpy as np
import pytest

from neuralpde.plot._panels import edges
from neuralpde.plot._scales import error_limits, error_scale, field_scale, limits, whole_decades
from neuralpde.plot._style import choose, steady_width_text


def test_limits_are_the_range_and_never_equal():
    assert limits([np.array([1.0, 3.0]), np.array([np.nan, 5.0])]) == (1.0, 5.0)
    for constant in (0.0, 300.0, -1e-30, 1e200):
        low, high = limits([np.full(3, constant)])
        assert low < constant < high
    low, high = limits([300.0 + 1e-12 * np.arange(3)])
    assert high - low > 1.0  # rounding is not shown as structure
    assert all(math.isfinite(limit) for limit in limits([np.full(3, np.nan)]))


def test_a_run_that_blew_up_does_not_flatten_the_others():
    exact = [np.array([0.0, 1.0])]
    low, high = limits([np.array([-1e200, 1e200])], exact)
    assert -0.5 < low < 0.0 and 1.0 < high < 1.5
    assert field_scale([np.array([0.0, 1e200])], exact).extend == "max"
    assert field_scale([np.array([0.0, 1.0])], exact).extend == "neither"


def test_diverging_and_symmetric_only_where_both_signs_matter():
    both = field_scale([np.array([-1.0, 2.0])])
    assert (both.name, both.low, both.high) == ("RdBu_r", -2.0, 2.0)
    for values in ([0.0, 1.0], [-1e-3, 1.0], [-3.0, -1.0], [0.0, 0.0]):
        assert field_scale([np.array(values)]).name == "viridis"


def test_error_limits_ignore_rounding_and_the_dips_of_a_sign_change():
    low, high = error_limits([np.array([1e-17, 2e-17]), np.array([1e-30, 1e-5])], size=1.0, decades=3)
    assert (low, high) == pytest.approx((1e-8, 1e-5))
    for group in (np.zeros(3), np.full(3, np.nan)):
        low, high = error_limits([group], size=0.0, decades=2)
        assert 0.0 < low < high


def test_error_limits_leave_out_a_method_that_blew_up():
    groups = [np.array([1e200]), np.array([1e-5])]
    assert error_limits(groups, size=1.0, decades=2) == pytest.approx((1e-7, 100.0))
    assert error_scale(groups, size=1.0).extend == "max"
    low, high = error_limits(groups[:1], size=1.0, decades=2)
    assert low < 1e200 <= high  # but it is shown where it is alone


def test_whole_decades():
    assert whole_decades(2e-5, 3e-2) == pytest.approx((1e-5, 1e-1))


def test_times_are_chosen_evenly_in_time_with_both_ends():
    times = np.array([0.0, 0.01, 0.02, 0.03, 0.5, 0.97, 1.0])
    np.testing.assert_array_equal(choose(times, 3), [0, 4, 6])
    np.testing.assert_array_equal(choose(times, 10), np.arange(7))
    np.testing.assert_array_equal(choose(times, 1), [6])
    assert len({len(steady_width_text(t, 0.5)) for t in np.linspace(0.0, 0.5, 17)}) == 1


def test_cells_end_at_the_outer_nodes():
    np.testing.assert_allclose(edges(np.array([0.0, 1.0, 3.0])), [0.0, 0.5, 2.0, 3.0])
