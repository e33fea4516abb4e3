// Docutils calls the bibliography a list but its entries no list items (WCAG 1.3.1): drop the claim.
addEventListener("DOMContentLoaded", () => {
  for (const list of document.querySelectorAll(".citation-list[role=list]")) list.removeAttribute("role");
});
