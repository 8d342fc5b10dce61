"""Pictures of nets and runs; needs matplotlib (pip install 'gpuconv[plot]')."""
