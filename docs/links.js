// The pages are read in the repository as well, where they point to crates and examples by relative links. In the book those
// lead out of it, so there they are made to lead to the repository.
const repository = document.querySelector('a[title="Git repository"]')?.href;
const book = new URL(path_to_root || ".", document.baseURI);
for (const link of document.querySelectorAll("main a[href]")) {
  const written = link.getAttribute("href");
  if (!repository || /^([a-z]+:|#|\/)/.test(written)) continue;
  // Below a folder of the same depth as the book is in the repository, `..` cannot be lost.
  const base = new URL("https://in.the/docs/" + document.baseURI.slice(book.href.length));
  const target = new URL(written, base);
  if (target.pathname.startsWith("/docs/")) continue;
  // mdBook has made pages of what is one in the repository.
  const path = target.pathname.replace(/\.html$/, ".md");
  link.href = repository.replace(/\/$/, "") + "/tree/main" + path + target.hash;
}
