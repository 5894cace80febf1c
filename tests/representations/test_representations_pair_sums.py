"""Matrices from pairs of nodes against those from whole element matrices."""

import pytest
import torch
from unit_meshes import unit_mesh

from neuralpde.dynamics._loaded_form import LoadedForm
from neuralpde.geometry import Dirichlet, Flux, MeshDomain, Robin
from neuralpde.problems import Elasticity, MooneyRivlin, NeoHookean, SaintVenantKirchhoff
from neuralpde.representations import FiniteElementField

MATERIALS = [NeoHookean(2.5, 0.3), MooneyRivlin(1.0, 0.5, 20.0), SaintVenantKirchhoff(2.5, 0.3)]
HELD = {
    "side": (Dirichlet(0.0, "x-"), Flux(0.0)),
    "component": (Dirichlet(0.0, "x-", components="y"), Dirichlet(0.0, "y-"), Flux(0.0)),
    "spring": (Dirichlet(0.0, "x-"), Robin(3.0, 0.0, "x+"), Flux(0.0)),
}


@pytest.mark.parametrize("held", HELD)
@pytest.mark.parametrize("degree", [1, 2])
@pytest.mark.parametrize("kind", ["triangle", "quad", "tetra", "hexahedron"])
def test_hessians_are_those_of_whole_elements(kind: str, degree: int, held: str) -> None:
    domain = MeshDomain(unit_mesh(kind, 2, distort=0.1))
    for material in MATERIALS:
        body = Elasticity(material, domain=domain, conditions=HELD[held])
        field = FiniteElementField.for_problem(body, degree)
        form, free = LoadedForm(body, field), field.free_dofs
        values = 0.02 * torch.randn(field.nodes.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            matrix = form.slopes(0.0, values, definite=False)
            whole = form.slopes(0.0, values, definite=False, whole=True).tocsr()[free][:, free]
            again = form.slopes(0.0, values, definite=False)
        assert abs(matrix - whole).max() <= 1e-13 * abs(whole).max()
        assert abs(matrix - matrix.T).max() <= 1e-14 * abs(whole).max()
        assert (matrix.data == again.data).all()
