"use strict";
{
  const by = (id) => document.getElementById(id);
  const grid = by("grid"), naming = by("naming"), large = by("large"), input = by("name");
  const KEYS = "123456789abcdefghijklmnopqrstuvwxyz";
  const BATCH = 12, CHUNK = 500, BEYOND = 4; // CHUNK photographs a request; BEYOND rows above and below
  const REASONS = { label: null, review: "corrected", all: "chosen" }; // null: what it is shown for
  let mode = "label", items = [], cursor = 0, anchor = 0, state = null, naming_for = null;
  let only, more = false, polling = null, drawn = "";
  let queue = Promise.resolve(); // requests go one after another, in the order of the keys

  const element = (tag, text, name) => {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (name) made.className = name;
    return made;
  };
  const percent = (share) => `${(100 * share).toFixed(1)} %`;
  const range = ([low, high]) => `${(100 * low).toFixed(1)} to ${(100 * high).toFixed(1)} %`;
  const tell = (words) => { by("trouble").textContent = words; };

  const ask = async (path, body) => {
    const sent = body === undefined ? {} : {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
    };
    let answer;
    try {
      answer = await fetch(path, sent);
    } catch {
      const what = body === undefined ? "The" : "Not saved: the";
      throw new Error(`${what} server does not answer. Start headstart label again.`);
    }
    const document = await answer.json();
    if (!answer.ok) throw new Error(typeof document.detail === "string" ? document.detail : "It was refused.");
    return document;
  };
  const then = (work, well = () => tell("")) => {
    queue = queue.then(work).then(well, (error) => tell(error.message));
    return queue;
  };

  // What is known, above and below the grid

  const know = (now) => {
    state = now;
    const { labelled, photographs, quality, file, classes } = now;
    by("progress").textContent = `${labelled.toLocaleString("en")} of ${photographs.toLocaleString("en")} labelled, in ${file}`;
    const words = [];
    if (quality) {
      const { labelled: own, checks, next, advice } = quality;
      words.push(`Out of fold on the ${own.n} labelled: ${percent(own.accuracy)} right (95 % interval ${range(own.ci95)}); they are harder than the rest.`);
      if (checks) words.push(`On ${checks.n} drawn at random: ${percent(checks.accuracy)} (${range(checks.ci95)}).`);
      words.push(next || labelled < 128 ? advice : "");
    } else words.push("Guesses begin with two photographs each of two classes.");
    by("quality").textContent = words.join(" ");
    clearTimeout(polling);
    const look = async () => know(await ask("state"));
    if (now.learning) polling = setTimeout(() => then(look, () => {}), 700); // what went wrong stays told
    if (JSON.stringify(classes) !== drawn) draw(classes);
  };
  const draw = (classes) => {
    drawn = JSON.stringify(classes);
    const choices = classes.map(({ name }, place) => {
      const button = element("button", name);
      if (KEYS[place]) button.append(" ", element("kbd", KEYS[place]));
      button.addEventListener("click", () => give(name));
      return button;
    });
    by("choices").replaceChildren(...choices);
    by("known").replaceChildren(...classes.map(({ name }) => {
      const option = element("option");
      option.value = name;
      return option;
    }));
    by("classes").replaceChildren(...classes.map(({ name, photographs: count }) => {
      const row = element("li"), show = element("button", "Show"), rename = element("button", "Rename or merge");
      show.setAttribute("aria-label", `Show ${name}`);
      rename.setAttribute("aria-label", `Rename or merge ${name}`);
      show.addEventListener("click", () => open("all", name));
      rename.addEventListener("click", () => call(`New name for ${name}; another class's name merges them`, (to) =>
        then(async () => { know(await ask("classes", { name: to, was: name })); await load(); })));
      row.append(element("span", `${name}: ${count.toLocaleString("en")} `), show, " ", rename);
      return row;
    }));
  };

  // The grid: tiles by their place among the items, of the rows near what is seen and of no others

  const tiles = new Map();
  const tile = (item) => {
    const made = element("li"), image = element("img");
    made.setAttribute("role", "option");
    image.decoding = "async";
    image.alt = "";
    image.src = `pictures/small/${item.picture}`;
    const name = element("span", undefined, "name"); // broken between its words
    name.append(...item.name.split(/(?<=[_./-])/).flatMap((part) => [part, element("wbr")]));
    name.title = item.name;
    made.append(image, element("b"), name);
    made.addEventListener("click", (event) => choose(items.indexOf(item), event.shiftKey || event.ctrlKey));
    made.addEventListener("contextmenu", (event) => { event.preventDefault(); choose(items.indexOf(item), true); });
    made.item = item;
    return made;
  };
  const said = ({ label, guess, share }) => {
    if (label && mode === "review") return `${label}; rather ${guess}? ${percent(share)}`;
    if (label) return label;
    return guess ? `${guess}? ${percent(share)}` : "no guess yet";
  };
  const paint = () => tiles.forEach((made, place) => {
    const { item } = made;
    if (items[place] !== item) return; // others are on their way
    const values = {
      id: `item-${place}`, "aria-posinset": place + 1, "aria-setsize": more ? -1 : items.length,
      "aria-selected": place >= Math.min(cursor, anchor) && place <= Math.max(cursor, anchor),
      "aria-label": `${item.name}: ${said(item)}`,
    };
    Object.entries(values).forEach(([name, value]) => made.setAttribute(name, String(value)));
    made.children[1].textContent = said(item);
    made.classList.toggle("done", Boolean(item.label) && (mode !== "review" || Boolean(item.settled)));
    made.classList.toggle("cursor", place === cursor);
  });
  const measure = () => {
    const style = getComputedStyle(grid);
    const columns = style.gridTemplateColumns.split(" ").length;
    return { columns, pitch: parseFloat(style.gridAutoRows) + parseFloat(style.rowGap), rows: Math.ceil(items.length / columns) };
  };
  const lay = () => {
    const { columns, pitch, rows } = measure(), top = grid.getBoundingClientRect().top;
    const last = Math.max(0, Math.min(rows, Math.ceil((innerHeight - top) / pitch) + BEYOND));
    const first = Math.max(0, Math.min(last, Math.floor(-top / pitch) - BEYOND));
    const from = first * columns, to = Math.min(last * columns, items.length);
    grid.style.paddingTop = `${first * pitch}px`;
    grid.style.paddingBottom = `${(rows - last) * pitch}px`;
    let changed = false;
    tiles.forEach((made, place) => {
      if (place >= from && place < to && items[place] === made.item) return;
      made.firstChild.removeAttribute("src"); // not to be waited for
      made.remove();
      tiles.delete(place);
      changed = true;
    });
    for (let place = to - 1, next = null; place >= from; place--) {
      if (!tiles.has(place)) {
        tiles.set(place, tile(items[place]));
        grid.insertBefore(tiles.get(place), next);
        changed = true;
      }
      next = tiles.get(place);
    }
    if (changed) paint();
    if (more && last === rows) fetch_more();
  };
  const choose = (place, several = false) => {
    if (!items.length) return;
    cursor = Math.max(0, Math.min(place, items.length - 1));
    if (!several) anchor = cursor;
    const { columns, pitch } = measure();
    const y = grid.getBoundingClientRect().top + Math.floor(cursor / columns) * pitch;
    const lowest = innerHeight - by("bar").offsetHeight - pitch;
    if (y < 0) scrollBy(0, y);
    else if (y > lowest) scrollBy(0, y - lowest);
    lay();
    paint();
    grid.setAttribute("aria-activedescendant", `item-${cursor}`);
    grid.focus({ preventScroll: true });
  };
  const chosen = () => items.slice(Math.min(cursor, anchor), Math.max(cursor, anchor) + 1);

  const show = (list) => {
    items = list;
    cursor = anchor = 0;
    by("empty").hidden = items.length > 0;
    by("empty").textContent = mode === "review" ? "No label is doubted." : "Nothing is left to show here.";
    grid.removeAttribute("aria-activedescendant");
    lay();
    if (items.length && !naming.open) choose(0);
  };
  const list = (start) => ask(`photographs?start=${start}&count=${CHUNK}${only === undefined ? "" : `&label=${encodeURIComponent(only)}`}`);
  const fetch_more = () => {
    more = false; // asked for once
    then(async () => {
      const found = await list(items.length);
      more = found.length === CHUNK;
      items.push(...found);
      lay();
      paint();
    });
  };
  const load = async () => {
    const found = await (mode === "all" ? list(0) : ask(`${mode === "review" ? "review" : "next"}?count=${BATCH}`));
    more = mode === "all" && found.length === CHUNK;
    show(found);
    know(await ask("state"));
  };
  const open = (to, label) => {
    mode = to;
    only = label;
    items = [];
    document.querySelectorAll("[data-mode]").forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.mode === mode)));
    by("pass").textContent = mode === "review" ? "Keep" : "Skip";
    return then(load);
  };
  addEventListener("scroll", lay, { passive: true });
  addEventListener("resize", lay);

  // What a person does

  const settled = (item) => (mode === "review" ? item.settled : item.label || item.skipped);
  const onwards = (given) => {
    if (mode === "all") return choose(items.indexOf(given[given.length - 1]) + 1);
    const left = items.findIndex((item) => !settled(item));
    if (left >= 0) {
      const after = items.findIndex((item, place) => place > cursor && !settled(item));
      choose(after >= 0 ? after : left);
    } else {
      items = []; // a key that comes too soon labels nothing
      then(load);
    }
  };
  // Shown at once, and taken back where the server refuses it.
  const write = (pairs, path, body) => {
    const before = pairs.map(([item]) => ({ ...item }));
    pairs.forEach(([item, change]) => Object.assign(item, change));
    paint();
    then(async () => {
      try {
        know(await ask(path, body));
      } catch (error) {
        pairs.forEach(([item], place) => Object.assign(item, { label: null, settled: false, skipped: false }, before[place]));
        paint();
        throw error;
      }
    });
    onwards(pairs.map(([item]) => item));
  };
  const put = (pairs, reason) => {
    for (let start = 0; start < pairs.length; start += CHUNK) {
      const some = pairs.slice(start, start + CHUNK);
      const labels = Object.fromEntries(some.map(([item, label]) => [item.row, label]));
      write(some.map(([item, label]) => [item, { label, settled: true }]), "labels", reason ? { labels, reason } : { labels });
    }
  };
  const give = (label) => put(chosen().map((item) => [item, label]), REASONS[mode]);
  const acts = {
    accept: () => put(chosen().filter(({ guess }) => guess).map((item) => [item, item.guess]), REASONS[mode]),
    name: () => call("Class of what is chosen", give),
    pass: () => {
      const own = chosen();
      if (!own.length) return;
      if (mode === "review") put(own.map((item) => [item, item.label]), "kept");
      else if (mode === "label") write(own.map((item) => [item, { skipped: true }]), "skip", { rows: own.map(({ row }) => row) });
    },
    undo: () => then(async () => {
      const { photographs, state: now } = await ask("undo", {});
      const back = new Map(photographs.map((item) => [item.row, item]));
      if (mode === "label" && back.size) show([...photographs, ...items.filter(({ row }) => !back.has(row))]);
      else if (mode === "all" && back.size < CHUNK) {
        items.forEach((item) => Object.assign(item, back.get(item.row)));
        const place = items.findIndex(({ row }) => back.has(row));
        if (place >= 0) choose(place);
      } else if (back.size) await load();
      know(now);
    }),
    fit: () => then(async () => {
      by("fitted").textContent = "Fitting …";
      try {
        const { path, accuracy, ci95, n, split, warnings } = await ask("fit", {});
        by("fitted").textContent = `Saved ${path}: ${percent(accuracy)} right (${range(ci95)}) on the ${n} photographs of the ${split}. ${warnings.join(" ")}`;
      } catch (error) {
        by("fitted").textContent = "";
        throw error;
      }
    }),
    enlarge: () => {
      if (!items.length) return;
      large.querySelector("img").src = `pictures/large/${items[cursor].picture}`;
      large.querySelector("img").alt = items[cursor].name;
      large.showModal();
    },
  };
  const call = (words, use) => {
    naming_for = use;
    by("ask").textContent = words;
    input.value = "";
    naming.showModal();
    input.focus();
  };
  naming.addEventListener("close", () => {
    const name = input.value.trim();
    if (naming.returnValue === "ok" && name) {
      if (items.length || naming_for !== give) naming_for(name);
      else then(async () => know(await ask("classes", { name })));
    }
    naming.returnValue = "";
    grid.focus({ preventScroll: true });
  });
  large.addEventListener("close", () => grid.focus({ preventScroll: true }));

  document.querySelectorAll("[data-act]").forEach((button) => button.addEventListener("click", () => acts[button.dataset.act]()));
  document.querySelectorAll("[data-mode]").forEach((button) => button.addEventListener("click", () => open(button.dataset.mode)));
  const moves = {
    ArrowLeft: () => cursor - 1, ArrowRight: () => cursor + 1, ArrowUp: () => cursor - measure().columns,
    ArrowDown: () => cursor + measure().columns, Home: () => 0, End: () => items.length - 1,
  };
  const keys = { Enter: "accept", "+": "name", ".": "pass", Backspace: "undo", " ": "enlarge", "!": "fit" };
  document.addEventListener("keydown", (event) => {
    const elsewhere = naming.open || large.open || event.ctrlKey || event.metaKey || event.altKey;
    if (elsewhere || (event.target.closest("button, summary") && [" ", "Enter"].includes(event.key))) return;
    const place = KEYS.indexOf(event.key);
    const known = state?.classes[place];
    if (event.key in moves) choose(moves[event.key](), event.shiftKey);
    else if (event.key in keys) acts[keys[event.key]]();
    else if (event.key.length === 1 && place >= 0 && known) give(known.name);
    else return;
    event.preventDefault();
  });
  open("label");
}
