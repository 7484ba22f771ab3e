// How the page reaches the model: by the API of its server, or with an engine in this browser if the page
// is a static site. Both have the same functions, but only the engine has `load` and `prepare`.

export const isStatic = document.documentElement.dataset.engine === "browser";
const { key, model, complete, score, stream, nextTokens, load, prepare } = await import(
  isStatic ? "./engine/client.js" : "./api.js"
);

export { key, model, complete, score, stream, nextTokens, load, prepare };
