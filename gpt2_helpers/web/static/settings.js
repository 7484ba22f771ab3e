// The settings, made from the options that the server reports, and links that share their values.

// Options are shown if they have a suggested range, are lists or are listed here, those listed first.
// Label, range, help and initial value are the server's unless given here; `format` returns a value as shown.
const CONTROLS = {
  max_new_tokens: {
    label: "Length",
    initial: 100,
    range: [10, 300],
    step: 10,
    format: (value) => `up to ${Math.round(value * 0.75)} words`,
    help: "a text may end sooner",
  },
  temperature: {
    format: (value) =>
      `${value} · ${value === 0 ? "deterministic" : value < 0.5 ? "conservative"
        : value < 0.9 ? "balanced" : value <= 1.1 ? "creative" : "very random"}`,
    help: "low values give predictable texts, high values surprising ones",
  },
  nsamples: {
    help: "texts to generate from the same prompt",
  },
  finish_sentence: {
    help: "end after a complete sentence if the length allows it",
  },
  top_k: {
    advanced: true,
    format: (value) => (value === 0 ? "off" : `${value} most likely tokens`),
    help: "choose each token from the most likely ones only",
  },
  top_p: {
    advanced: true,
    format: (value) => (value === 0 ? "off" : `most likely ${Math.round(value * 100)}%`),
    help: "choose each token from the most likely ones with this total probability; replaces top‑k",
  },
  min_p: {
    advanced: true,
    format: (value) => (value === 0 ? "off" : `${value} of the likeliest`),
    help: "leave out tokens that are much less likely than the likeliest one",
  },
  typical_p: { advanced: true, format: (value) => (value === 0 ? "off" : `${value}`) },
  repetition_penalty: { advanced: true, format: (value) => (value === 1 ? "off" : `${value}`) },
  presence_penalty: { advanced: true, format: (value) => (value === 0 ? "off" : `${value}`) },
  frequency_penalty: { advanced: true, format: (value) => (value === 0 ? "off" : `${value}`) },
  no_repeat_ngram_size: {
    advanced: true,
    label: "No repeated sequences",
    format: (value) => (value === 0 ? "off" : `of ${value} tokens`),
  },
  regex: { advanced: true },
};

const HIDDEN = ["length"]; // the page uses max_new_tokens instead

const isList = ({ type }) => type === "array" || type === "object";
const isShown = (option) =>
  option.name in CONTROLS || isList(option) || (option.suggested_range && !HIDDEN.includes(option.name));

export class Settings {
  // `container` gets the usual options, `advanced` the others.
  constructor(container, advanced, options) {
    this.inputs = {};
    const order = [...Object.keys(CONTROLS), ...options.map(({ name }) => name)];
    const shown = options.filter(isShown);
    shown.sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
    for (const option of shown) {
      const known = CONTROLS[option.name] ?? { advanced: true };
      const control = { label: option.label, initial: option.preset ?? option.default, ...known };
      const row = document.createElement("div");
      const label = document.createElement("label");
      const output = document.createElement("output");
      const input = document.createElement(isList(option) ? "textarea" : "input");
      const help = document.createElement("p");
      row.className = "option";
      input.name = option.name;
      input.id = `option-${option.name}`;
      label.htmlFor = output.htmlFor = input.id;
      label.textContent = control.label;
      help.className = "help";
      help.id = `help-${option.name}`;
      help.textContent = sentence(control.help ?? option.help);
      if (isList(option)) help.textContent += " One per line; \\n is a newline.";
      input.setAttribute("aria-describedby", help.id);
      this.inputs[option.name] =
        option.type === "boolean" ? checkbox(input, control)
          : option.type === "string" || isList(option) ? textBox(input, option)
            : slider(input, output, control, option);
      row.append(...(option.type === "boolean" ? [label, input] : [label, output, input]), help);
      (known.advanced ? advanced : container).append(row);
    }
    this.reset();
  }

  reset() {
    this.set({});
  }

  // Ignores unknown names and invalid values, and resets missing ones.
  set(values) {
    for (const [name, { write, initial }] of Object.entries(this.inputs)) {
      write(values[name] ?? initial);
    }
  }

  get values() {
    return Object.fromEntries(Object.entries(this.inputs).map(([name, { read }]) => [name, read()]));
  }

  // The values for a link, from which `set` restores them; empty text boxes are left out.
  get linkValues() {
    const values = Object.entries(this.inputs).map(([name, { read, text }]) => [name, text ? text() : read()]);
    return Object.fromEntries(values.filter(([, value]) => value !== ""));
  }
}

function slider(input, output, control, option) {
  const step = option.type === "integer" ? 1 : 0.05;
  const [min, suggestedMax] = control.range ?? option.suggested_range ?? [option.minimum, option.maximum];
  const max = Math.min(suggestedMax, option.maximum ?? suggestedMax);
  Object.assign(input, { type: "range", min, max, step: control.step ?? step });
  const initial = Math.min(control.initial, max);
  const update = () => {
    const value = Number(input.value);
    output.textContent = control.format?.(value) ?? `${value}`;
    input.setAttribute("aria-valuetext", output.textContent.replace(" · ", ", "));
  };
  input.addEventListener("input", update);
  return {
    initial,
    read: () => Number(input.value),
    write: (value) => {
      input.value = Number.isFinite(Number(value)) ? Number(value) : initial; // clamped to the range
      update();
    },
  };
}

function checkbox(input, control) {
  input.type = "checkbox";
  return {
    initial: control.initial,
    read: () => input.checked,
    write: (value) => (input.checked = !["false", "0", "no"].includes(String(value).toLowerCase())),
  };
}

// A string, a list with an entry per line, or a mapping with a line such as `text=2` for each entry.
function textBox(input, { type }) {
  input.spellcheck = false;
  if (type === "string") input.type = "text";
  else input.rows = 2;
  const lines = () => input.value.split("\n").filter(Boolean).map(unescaped);
  const read = {
    string: () => input.value,
    array: lines,
    object: () => Object.fromEntries(lines().map(pair)),
  };
  return {
    initial: "",
    text: () => input.value,
    read: () => (input.value ? read[type]() : null),
    write: (value) => (input.value = value),
  };
}

function pair(line) {
  const end = line.lastIndexOf("=");
  const number = line.slice(end + 1).trim();
  return [end < 0 ? line : line.slice(0, end), end < 0 || !number ? NaN : Number(number)]; // NaN is refused
}

const ESCAPES = { "\\n": "\n", "\\t": "\t", "\\r": "\r", "\\\\": "\\" };
const unescaped = (line) => line.replace(/\\[ntr\\]/g, (escape) => ESCAPES[escape]);

export function settingsLink(prefix, values) {
  const address = new URL(location.href);
  address.search = "";
  address.hash = new URLSearchParams({ ...values, prefix }).toString();
  return address.href;
}

// The parameters of a link to settings, or those of gpt-2-cloud-run, which come before the #.
export function linkParameters() {
  const parameters = new URLSearchParams(location.search);
  new URLSearchParams(location.hash.slice(1)).forEach((value, name) => parameters.set(name, value));
  return Object.fromEntries(parameters);
}

const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1) + ".";
