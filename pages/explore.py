"""Explore: a model's map, any point of it decoded, groups, the grid over its plane, samples."""

from __future__ import annotations

import streamlit as st

from explorer.checkpoints import CheckpointError
from explorer.datasets import DatasetError
from explorer.figures import palette
from explorer.ui import library, sheets, view
from explorer.ui.components.latent_map import Click, LegendEntry, Mark, Selected, latent_map
from explorer.ui.library import Mapped
from explorer.ui.markdown import plain
from explorer.ui.panels.decoded import decoded_panel
from explorer.ui.panels.grid import grid_panel
from explorer.ui.panels.group import group_panel
from explorer.ui.panels.samples import samples_panel
from explorer.ui.view import Pick


def pick_model() -> library.Model:
    """The picker and its line; stops the page with a sentence when there is nothing to open."""
    found = library.all_checkpoints()
    usable = {c.id: c for c in found if not c.problem}
    if not usable:
        st.info("There is no model yet. Train one: press **Start** in the sidebar.")
        show_damaged(found)
        st.stop()
    # What ships comes first, in the order of a tour: two latents before many.
    order = sorted(
        usable, key=lambda i: (not usable[i].shipped, i != "mnist-mlp-2d", usable[i].config["model"]["latent"], i)
    )
    view.restore_choice("model", "explore_model", order, "the model")
    chosen = st.selectbox(
        "Model",
        order,
        format_func=lambda i: f"{i} — {usable[i].summary}",
        key="explore_model",
        persist_state="session",
        on_change=view.forget_notices,
        label_visibility="collapsed",
    )
    show_damaged(found)
    try:
        model = library.open_model(chosen, library.digest(usable[chosen]))
        model.latents  # noqa: B018 - read here, so that a damaged file is said in this sentence and not later
        return model
    except (CheckpointError, OSError) as error:
        st.error(str(error))
        st.stop()


def show_damaged(found: list[library.CheckpointInfo]) -> None:
    damaged = [c for c in found if c.problem]
    if damaged:
        with st.expander(f"{len(damaged)} of {len(found)} checkpoints cannot be opened", icon=":material/warning:"):
            for c in damaged:
                st.markdown(f"**{c.id}**: {c.problem}")


def pick_map(model: library.Model) -> tuple[Mapped, str, bool]:
    """The controls above the map: the mapped data, what colours it, whether holes are shown."""
    controls = st.container(horizontal=True, vertical_alignment="bottom")
    view.restore_choice("color", "color_by", list(view.COLORS), "the colouring", view.COLORS)
    color = controls.selectbox(
        "Colour by",
        list(view.COLORS),
        format_func=view.COLORS.__getitem__,
        key="color_by",
        persist_state="session",
        width=180,
    )
    kinds = library.projections(model)
    if not kinds:
        st.error("This checkpoint has no map of its codes: train it again.")
        st.stop()
    view.restore_choice("projection", "projection", kinds, "the projection", view.PROJECTIONS)
    if len(kinds) == 1:  # two latents: nothing to choose
        projection = kinds[0]
    else:
        projection = controls.selectbox(
            "Projection",
            kinds,
            format_func=view.PROJECTIONS.__getitem__,
            key="projection",
            persist_state="session",
            width=185,
            help="UMAP keeps neighbours together but not distances; the two principal components keep the largest "
            "distances but lay unlike items on each other.",
        )
    sources = library.choices_of_data(model)
    view.restore_choice("data", "map_data", list(sources), "the data", sources)
    data = controls.selectbox(
        "Data",
        list(sources),
        format_func=sources.__getitem__,
        key="map_data",
        persist_state="session",
        width=215,
        help="The test set that came with the model, or any data set on this machine, encoded now.",
    )
    try:
        content = library.digest(model.info)
        mapped = library.mapped(model.info.id, content, data, projection)
    except (DatasetError, CheckpointError, ValueError) as error:
        st.error(str(error))
        st.stop()
    if mapped.map.exact:
        show_holes = controls.toggle(
            "Show holes",
            key="holes",
            persist_state="session",
            help="Where the prior would draw codes but hardly any image is encoded: the decoder was never there.",
        )
    else:
        show_holes = False
    return mapped, color, show_holes


def draw_map(data: Mapped, color: str, show_holes: bool, pick: Pick | None) -> Selected | None:
    """The map itself; its clicks become picks."""

    def clicked(click: Click) -> None:
        if click.id is not None and click.id < len(data.latents):
            view.choose_row(data, click.id)
        else:
            view.choose_spot(data, click.x, click.y)

    colors = palette(len(data.classes))
    labels = data.latents.labels
    legend = None
    if color == "class" and labels is not None:
        counts = labels.bincount(minlength=len(data.classes)).tolist()
        legend = [LegendEntry(i, name, colors[i], counts[i]) for i, name in enumerate(data.classes)]
    overlay, mass = sheets.holes(data) if show_holes else (None, 0.0)
    marks = []
    if pick is not None:
        x, y = pick.xy if pick.xy is not None else data.map.place(pick.tensor()[None])[0].tolist()
        marks.append(Mark(x, y))
    events = latent_map(
        key="map",
        figure_url=sheets.map_figure(data, color),
        legend=legend,
        sprites=sheets.sprites(data),
        atlas=sheets.atlas(data),
        marks=marks,
        overlay=overlay,
        names=data.classes,
        revision=f"{data.key}-{data.map.kind}",
        empty_hint="click to decode this spot" if data.map.exact else "click to decode an estimate of this spot",
        on_click=clicked,
    )
    st.caption(quality_line(data))
    if show_holes:
        prior = "the prior" if data.model.has_prior else "a Gaussian fitted to the codes (it has no prior)"
        st.markdown(
            f"**{mass:.0%} of what {prior} would draw falls into holes** (striped): fewer than a tenth of the expected "
            "codes lie there, so nobody taught the decoder what to draw. The KL term of a VAE presses its codes into "
            "the prior's shape; a plain autoencoder lets them lie anywhere."
        )
    return events.selected


def quality_line(data: Mapped) -> str:
    """How far the map can be trusted, in one line."""
    q = data.quality
    parts = [f"{len(data.latents):,} items of {data.source}"]
    if not data.map.exact and "trustworthiness" in q:
        parts.append(f"trustworthiness {q['trustworthiness']:.2f}, continuity {q['continuity']:.2f}")
    if "accuracy_codes" in q:
        of_codes = f"15 nearest neighbours name the class right for {q['accuracy_codes']:.0%} in the codes"
        parts.append(of_codes if data.map.exact else f"{of_codes}, {q['accuracy_map']:.0%} on this map")
    return " · ".join(parts)


WORDS = """
- **Code**: a few numbers that stand for an image. The *encoder* turns an image into a distribution over codes, the
  *posterior*; the map shows its mean. The *decoder* turns any code into an image.
- **Prior**: the distribution that codes should follow as a whole, a round cloud around zero. *Samples* are its draws.
- **ELBO**: how well the model accounts for an image, in nats; higher is better. It is the **reconstruction** term (how
  close the decoded image comes) less the **KL** (how much the code tells beyond the prior).
- **Holes**: where the prior would draw codes but no image lies.
- **UMAP, principal components**: ways to lay out codes of many numbers on a plane. Read neighbourhoods, not distances.
"""


def main() -> None:
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.markdown("### Explore what a model has learnt", width="content")
        with st.popover("Words", icon=":material/help:", type="tertiary", key="words"):
            st.markdown(WORDS)
    model = pick_model()
    notices = st.container()  # filled at the end: the widgets below have things to say, too
    left, right = st.columns([3, 2], gap="medium")
    with left:
        data, color, show_holes = pick_map(model)
        view.restore_pick(data)
        pick = view.current(data)
        selected = draw_map(data, color, show_holes, pick)
    with right:
        decoded_panel(data, pick)
    group_panel(data, selected)
    below_left, below_right = st.columns(2, gap="medium")
    with below_left:
        grid_panel(data, pick)
    with below_right:
        samples_panel(data)
    for text in [*view.notices(), *data.notes]:
        notices.warning(plain(text))
    view.write_url(model.info.id, color, data.map.kind, data.name, pick)


main()
