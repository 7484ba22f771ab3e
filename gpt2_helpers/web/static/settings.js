// The sliders, made from the options that the server reports, and links that share their values.

// Options are shown if they have a suggested range or are listed here. Label, range, help and default are
// the server's unless given here; `format` returns a value as shown.
const SLIDERS = {
  temperature: {
    format: (value) =>
      `${value} · ${value === 0 ? "deterministic" : value < 0.5 ? "conservative"
        : value < 0.9 ? "balanced" : value <= 1.1 ? "creative" : "very random"}`,
  },
  max_new_tokens: {
    label: "Max length",
    initial: 60,
    range: [5, 300],
    step: 5,
    format: (value) => `${value} · ~${Math.max(1, Math.round(value * 0.75))} words`,
    help: "tokens to add; the text may end sooner",
  },
  top_k: {
    format: (value) => (value === 0 ? "off" : `${value} most likely tokens`),
  },
  top_p: {
    format: (value) => (value === 0 ? "off" : `${value} · most likely ${Math.round(value * 100)}%`),
  },
  nsamples: {
    help: "texts to generate from the same prompt",
  },
};

const HIDDEN = ["length"]; // the page uses max_new_tokens instead

const isShown = ({ name, suggested_range: range }) => name in SLIDERS || (range && !HIDDEN.includes(name));

export class Settings {
  constructor(container, options) {
    this.inputs = {};
    for (const option of options.filter(isShown)) {
      const slider = {
        label: option.label,
        initial: option.preset ?? option.default,
        step: option.type === "integer" ? 1 : 0.05,
        ...SLIDERS[option.name],
      };
      const [min, suggestedMax] = slider.range ?? option.suggested_range ?? [option.minimum, option.maximum];
      const max = Math.min(suggestedMax, option.maximum ?? suggestedMax);
      const row = document.createElement("div");
      const label = document.createElement("label");
      const output = document.createElement("output");
      const input = document.createElement("input");
      const help = document.createElement("p");
      row.className = "option";
      Object.assign(input, { type: "range", min, max, step: slider.step, name: option.name });
      input.id = `option-${option.name}`;
      label.htmlFor = output.htmlFor = input.id;
      label.textContent = slider.label;
      help.className = "help";
      help.id = `help-${option.name}`;
      help.textContent = sentence(slider.help ?? option.help);
      input.setAttribute("aria-describedby", help.id);
      const update = () => {
        const value = Number(input.value);
        output.textContent = slider.format?.(value) ?? `${value}`;
        input.setAttribute("aria-valuetext", output.textContent.replace(" · ", ", "));
      };
      input.addEventListener("input", update);
      this.inputs[option.name] = { input, update, initial: Math.min(slider.initial, max) };
      row.append(label, output, input, help);
      container.append(row);
    }
    this.reset();
  }

  reset() {
    this.set({});
  }

  // Ignores unknown names and resets missing ones; the browser clamps values to the range.
  set(values) {
    for (const [name, { input, update, initial }] of Object.entries(this.inputs)) {
      const value = Number(values[name]);
      input.value = values[name] !== undefined && Number.isFinite(value) ? value : initial;
      update();
    }
  }

  get values() {
    const pairs = Object.entries(this.inputs).map(([name, { input }]) => [name, Number(input.value)]);
    return Object.fromEntries(pairs);
  }
}

export function shareLink(prefix, values) {
  const address = new URL(location.href);
  address.search = "";
  address.hash = new URLSearchParams({ ...values, prefix }).toString();
  return address.href;
}

// The parameters of a shared link, or those of gpt-2-cloud-run, which come before the #.
export function linkParameters() {
  const parameters = new URLSearchParams(location.search);
  new URLSearchParams(location.hash.slice(1)).forEach((value, name) => parameters.set(name, value));
  return Object.fromEntries(parameters);
}

const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1) + ".";
