"""The only room that imports ExecuTorch: `lowering` writes a .pte, `runtime` runs one."""
