// The sliders, made from what the server says may be asked of it, and the address that shares them.

// Which options the page shows, with its own words for what a value means, and where the server's
// would not do.
const SHOWN = {
  temperature: {
    label: "Temperature",
    start: 0.7,
    step: 0.05,
    words: (value) =>
      value === 0 ? "always the likeliest" : value < 0.5 ? "careful" : value < 0.9 ? "balanced"
        : value <= 1.1 ? "free" : "wild",
  },
  max_new_tokens: {
    label: "Length",
    start: 60,
    range: [5, 300],
    step: 5,
    words: (value) => `about ${Math.max(1, Math.round(value * 0.75))} words`,
    help: "how much it adds at most; it may end sooner",
  },
  top_k: {
    label: "Top-k",
    start: 40,
    step: 1,
    words: (value) => (value === 0 ? "off" : `the ${value} likeliest pieces`),
  },
  top_p: {
    label: "Top-p",
    start: 0,
    step: 0.05,
    words: (value) => (value === 0 ? "off" : `the likeliest ${Math.round(value * 100)} %`),
  },
  nsamples: {
    label: "Texts at once",
    help: "several from the same beginning, to choose from",
    start: 1,
    step: 1,
    words: (value) => (value === 1 ? "a single one" : "to choose from"),
  },
};

export class Settings {
  constructor(place, options) {
    this.inputs = {};
    for (const option of options.filter(({ name }) => name in SHOWN)) {
      const shown = SHOWN[option.name];
      const [low, high] = shown.range ?? option.usual ?? [option.minimum, option.maximum];
      const most = Math.min(high, option.maximum ?? high);
      const line = document.createElement("div");
      const label = document.createElement("label");
      const output = document.createElement("output");
      const input = document.createElement("input");
      const help = document.createElement("p");
      line.className = "option";
      Object.assign(input, { type: "range", min: low, max: most, step: shown.step, name: option.name });
      input.id = `option-${option.name}`;
      label.htmlFor = output.htmlFor = input.id;
      label.textContent = shown.label;
      help.className = "help";
      help.id = `help-${option.name}`;
      help.textContent = sentence(shown.help ?? option.help);
      input.setAttribute("aria-describedby", help.id);
      const show = () => {
        const value = Number(input.value);
        output.textContent = `${value} · ${shown.words(value)}`;
        input.setAttribute("aria-valuetext", `${value}, ${shown.words(value)}`);
      };
      input.addEventListener("input", show);
      this.inputs[option.name] = { input, show, start: Math.min(shown.start, most) };
      line.append(label, output, input, help);
      place.append(line);
    }
    this.reset();
  }

  reset() {
    this.set({});
  }

  // Known names only, within the sliders' range; what is not named starts as it always does.
  set(values) {
    for (const [name, { input, show, start }] of Object.entries(this.inputs)) {
      const value = Number(values[name]);
      input.value = values[name] !== undefined && Number.isFinite(value) ? value : start;
      show();
    }
  }

  get values() {
    const pairs = Object.entries(this.inputs).map(([name, { input }]) => [name, Number(input.value)]);
    return Object.fromEntries(pairs);
  }
}

export function link(prefix, values) {
  const address = new URL(location.href);
  address.search = "";
  address.hash = new URLSearchParams({ ...values, prefix }).toString();
  return address.href;
}

// What a shared link holds; also the parameters that pages for gpt-2-cloud-run have before the #.
export function linked() {
  const found = new URLSearchParams(location.search);
  new URLSearchParams(location.hash.slice(1)).forEach((value, name) => found.set(name, value));
  return Object.fromEntries(found);
}

const sentence = (words) => words.charAt(0).toUpperCase() + words.slice(1) + ".";
