"use strict";
{
  const form = document.querySelector("form");
  const input = document.getElementById("files");
  const status = document.getElementById("status");
  const results = document.getElementById("results");
  const most = Number(form.dataset.bytes);
  const waiting = [];
  let done = 0, total = 0, busy = false;

  const element = (tag, text, name) => {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (name) made.className = name;
    return made;
  };
  // A name, which a narrow page breaks between its words.
  const named = (tag, name, kind) => {
    const made = element(tag, undefined, kind);
    const parts = name.split(/(?<=[_./-])/);
    parts.forEach((part, i) => made.append(...(i ? [element("wbr")] : []), part));
    return made;
  };
  const percent = (share) => `${(100 * share).toFixed(1)} %`;

  // An entry for one photograph, which takes what is to be said of it later.
  const entry = (file) => {
    const item = element("li");
    const image = element("img");
    image.alt = `Photograph ${file.name}`;
    image.src = URL.createObjectURL(file);
    image.addEventListener("load", () => URL.revokeObjectURL(image.src));
    image.addEventListener("error", () => {
      image.remove(); // a format that the browser cannot show
      item.classList.add("bare");
    });
    const words = element("div", "waiting …");
    item.append(image, words);
    results.prepend(item);
    return words;
  };

  const tell = (words, file, answer) => {
    const heading = named("h2", answer.label ?? "Unsure: better left to a person");
    const bars = element("ul", undefined, "bars");
    bars.setAttribute("aria-label", "Most probable classes");
    bars.append(...answer.top.map(({ label, probability }) => {
      const row = element("li");
      const bar = element("div", undefined, "bar");
      const filled = element("span");
      filled.style.width = `${100 * probability}%`;
      bar.append(filled);
      row.append(named("span", label), bar, element("span", percent(probability), "share"));
      return row;
    }));
    words.replaceChildren(heading, named("p", file.name, "file"), bars);
  };

  const refuse = (words, file, reason) => {
    words.replaceChildren(element("h2", "No label"), named("p", file.name, "file"), element("p", reason, "wrong"));
  };

  // Each photograph is a request of its own: one that is refused refuses no other.
  const label = async (file, words) => {
    if (file.size > most) {
      refuse(words, file, `It has ${file.size.toLocaleString("en")} bytes, the limit is ${most.toLocaleString("en")}.`);
      return;
    }
    const body = new FormData();
    body.append("files", file, file.name);
    let answer;
    try {
      answer = await (await fetch(form.action, { method: "POST", body })).json();
    } catch {
      refuse(words, file, "The service does not answer.");
      return;
    }
    if (answer.predictions?.length) tell(words, file, answer.predictions[0]);
    else refuse(words, file, answer.failed?.[0]?.reason ?? answer.detail ?? "The service failed.");
  };

  const say = () => {
    status.textContent = `${done} of ${total} photographs done`;
  };

  const add = async (files) => {
    for (const file of files) waiting.push([file, entry(file)]);
    total += files.length;
    say();
    if (busy) return;
    busy = true;
    while (waiting.length) {
      await label(...waiting.shift());
      done += 1;
      say();
    }
    busy = false;
  };

  input.addEventListener("change", () => {
    add([...input.files]);
    input.value = "";
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    form.classList.add("over");
  });
  document.addEventListener("dragleave", () => form.classList.remove("over"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    form.classList.remove("over");
    add([...event.dataTransfer.files]);
  });
  document.addEventListener("paste", (event) => add([...event.clipboardData.files]));
}
