// Copies a text, or throws. A page that came by plain http from elsewhere has no clipboard to write
// to, but what is selected can still be copied.

export async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const place = document.createElement("textarea");
  place.value = text;
  document.body.append(place);
  place.select();
  const copied = document.execCommand("copy");
  place.remove();
  if (!copied) throw new Error("not copied");
}
