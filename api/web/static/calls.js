// Addresses of calendars and feeds: a button that copies each.
for (const part of document.querySelectorAll("[data-copy]")) {
  const field = part.querySelector("input");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "button-quiet button-small";
  button.textContent = part.dataset.copyLabel;
  button.addEventListener("click", async () => {
    field.select();
    try {
      await navigator.clipboard.writeText(field.value);
    } catch {
      return; // the address is selected, to be copied by hand
    }
    button.textContent = part.dataset.copied;
    document.getElementById("status").textContent = part.dataset.copied;
  });
  part.append(button);
}
