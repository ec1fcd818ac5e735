"""Traces as other programs print them, made of ours: names, units and forms of their logs."""

from __future__ import annotations

from cupysim.parity.traces.values import PixelTrace, Value

PER_METRE_TO_PER_ANGSTROM = 1e-10
ANGSTROMS = 1e10


def instrumented(trace: PixelTrace, kind: str = "TRACE_C") -> str:
    """A log of the instrumented C program, or (TRACE_PY) of the PyTorch port.

    Both show, of each sub-pixel, the step of the first source, spindle angle and domain; the port
    prints reciprocal vectors after the rotations, the C program those before.
    """
    form = "{:.15g}" if kind == "TRACE_C" else "{:.15e}"
    setup = {value.name: value for value in trace.setup}
    lines = [f"{kind}:detector_convention={setup['convention'].text.upper()}"]

    def said(value: Value, factor: float = 1.0) -> str:
        return " ".join(form.format(number * factor) for number in value.numbers)

    angles = zip(("rotx", "roty", "rotz", "twotheta"), setup["detector_angles"].numbers,
                 strict=True)  # fmt: skip
    lines.append(f"{kind}:angles_rad=" + " ".join(f"{n}:{form.format(x)}" for n, x in angles))
    x, y = (setup[f"beam_centre_{axis}"].numbers[0] for axis in "xy")
    pixel = setup["pixel_size"].numbers[0]
    lines.append(
        f"{kind}:beam_center_m=X:{form.format(x / 1000)} Y:{form.format(y / 1000)} "
        f"pixel_mm:{form.format(1000 * pixel)}"
    )
    m = [form.format(number) for number in setup["detector_rotation"].numbers]
    rows = "; ".join(" ".join(m[row : row + 3]) for row in (0, 3, 6))
    lines.append(f"{kind}:R_total=[{rows}]")
    for theirs, ours in (
        ("initial_fdet", "detector_fast_at_rest"), ("initial_sdet", "detector_slow_at_rest"),
        ("fdet_after_twotheta", "detector_fast"), ("odet_after_twotheta", "detector_normal"),
        ("Fbeam_m", "beam_fast"), ("Sbeam_m", "beam_slow"), ("distance_m", "distance_at_rest"),
        ("pix0_vector", "pix0"),
    ):  # fmt: skip
        lines.append(f"{kind}:{theirs}={said(setup[ours])}")
    fast, slow = trace.pixel or (0, 0)
    lines.append(f"TRACE_CONFIG: tracing pixel (spixel={slow}, fpixel={fast})")
    lines.append("TRACE:   a_star = [0.01, 0, 0] |a_star| = 0.01")
    for step in trace.steps:
        if any(step.where[name] for name in ("source", "phi", "domain")):
            continue
        values = {value.name: value for value in step.values}
        lines.append(f"{kind}: pix0_vector_meters {said(setup['pix0'])}")
        for theirs, ours in (
            ("pixel_pos_meters", "pixel_position"), ("R_distance_meters", "airpath"),
            ("omega_pixel_sr", "omega"), ("diffracted_vec", "diffracted"),
            ("incident_vec", "incident"), ("lambda_meters", "wavelength"),
        ):  # fmt: skip
            lines.append(f"{kind}: {theirs} {said(values[ours])}")
        lines.append(f"{kind}: lambda_angstroms {said(values['wavelength'], ANGSTROMS)}")
        lines.append(f"{kind}: scattering_vec_A_inv {said(values['scattering_vector'])}")
        lines += [f"{kind}: rot_{n}_angstroms {said(values[n], ANGSTROMS)}" for n in "abc"]
        stars = {n: setup[f"cell_{n}_star"] for n in "abc"}
        if kind == "TRACE_PY":
            stars = {n: values[f"{n}_star"] for n in "abc"}
        lines += [
            f"{kind}: rot_{n}_star_A_inv {said(star, PER_METRE_TO_PER_ANGSTROM)}"
            for n, star in stars.items()
        ]
        lines.append(f"{kind}: hkl_frac {said(values['hkl'])}")
        whole = " ".join(str(int(index)) for index in values["hkl_rounded"].numbers)
        lines.append(f"{kind}: hkl_rounded {whole}")
        for name in ("F_latt_a", "F_latt_b", "F_latt_c", "F_latt", "F_cell"):
            lines.append(f"{kind}: {name} {said(values[name])}")
    result = {value.name: value for value in trace.result}
    for theirs, ours in (
        ("I_before_scaling", "intensity_sum"), ("r_e_sqr", "r_e_squared"),
        ("fluence_photons_per_m2", "fluence"), ("steps", "steps"),
        ("oversample_omega", "oversample_omega"), ("capture_fraction", "capture_fraction"),
        ("polar", "polarization"), ("omega_pixel", "omega"), ("I_pixel_final", "photons"),
        ("floatimage_accumulated", "photons"),
    ):  # fmt: skip
        lines.append(f"{kind}: {theirs} {said(result[ours])}")
    return "\n".join([*lines, "solid angle subtended by detector = 1 steradian"]) + "\n"
