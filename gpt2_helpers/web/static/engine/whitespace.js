// White space as Python's str methods have it, which differs from JavaScript's.

const SPACE = "[\\p{White_Space}\\x1c-\\x1f]";
const BLANK = new RegExp(`^${SPACE}*$`, "u");
const START = new RegExp(`^${SPACE}+`, "u");
const END = new RegExp(`${SPACE}+$`, "u");

export const isBlank = (text) => BLANK.test(text);
export const trimStart = (text) => text.replace(START, "");
export const trimEnd = (text) => text.replace(END, "");
export const trim = (text) => trimStart(trimEnd(text));
