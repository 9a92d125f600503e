"use strict";
{
  const data = JSON.parse(document.getElementById("data").textContent);
  const MOST = 60; // photographs shown for one cell

  const element = (tag, text, name) => {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (name) made.className = name;
    return made;
  };

  const picture = (i) => {
    const image = data.images[i];
    const made = element("span", image.shown ? undefined : "no picture", "pic");
    if (image.shown) {
      made.classList.add(`t${i}`);
      made.setAttribute("role", "img");
      made.setAttribute("aria-label", `Photograph ${image.name}`);
    } else {
      made.classList.add("none");
    }
    return made;
  };

  const labelled = (i, a) => {
    const approach = data.approaches[a];
    const confidence = Math.round(100 * approach.confidence[i]);
    return `${data.classes[approach.predicted[i]]}, ${confidence} % sure`;
  };

  // A cell of a confusion matrix shows the photographs in it.
  const dialog = document.getElementById("photographs");
  const show = (a, truth, predicted) => {
    const found = data.images.map((_, i) => i).filter(
      (i) => data.images[i].truth === truth && data.approaches[a].predicted[i] === predicted,
    );
    const title = `${found.length} of ${data.classes[truth]} labelled ${data.classes[predicted]}`;
    dialog.querySelector("h2").textContent = `${data.approaches[a].name}: ${title}`;
    const list = dialog.querySelector("ul");
    list.replaceChildren(...found.slice(0, MOST).map((i) => {
      const item = element("li");
      item.append(picture(i), element("b", labelled(i, a)), element("br"));
      item.append(element("span", data.images[i].name, "name"));
      return item;
    }));
    if (found.length > MOST) list.append(element("li", `and ${found.length - MOST} more`));
    dialog.showModal();
  };
  document.addEventListener("click", (event) => {
    const cell = event.target.closest("button[data-cell]");
    if (cell) show(...cell.dataset.cell.split(" ").map(Number));
    if (event.target === dialog) dialog.close(); // the backdrop
  });

  // The map: hover, or arrow keys, shows a photograph.
  const map = document.getElementById("map-view");
  const points = [...document.querySelectorAll("#map-points use")];
  const panel = document.getElementById("map-photo");
  let current = -1;
  const point = (i) => {
    if (current >= 0) points[current].classList.remove("current");
    current = i;
    points[i].classList.add("current");
    const image = data.images[i];
    const lines = data.contenders.map((a) => {
      const line = element("div");
      line.append(element("span", `${data.approaches[a].name}: `, "note"), labelled(i, a));
      return line;
    });
    panel.replaceChildren(
      picture(i), element("b", data.classes[image.truth]), ...lines, element("span", image.name, "note"),
    );
  };
  if (map) {
    map.addEventListener("pointerover", (event) => {
      const i = points.indexOf(event.target);
      if (i >= 0) point(i);
    });
    map.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (!step || points.length === 0) return;
      event.preventDefault();
      point((current + step + points.length) % points.length);
    });
  }

  addEventListener("beforeprint", () => {
    for (const closed of document.querySelectorAll("details:not([open])")) closed.open = true;
  });
}
