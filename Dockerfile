# Latent Explorer in a container, on a processor: docs/remote.md says how to build and run it.
FROM python:3.12-slim AS wheel
WORKDIR /src
COPY pyproject.toml requirements.txt README.md LICENSE app.py ./
COPY .streamlit/config.toml .streamlit/
COPY checkpoints checkpoints
COPY explorer explorer
COPY pages pages
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.12-slim
COPY requirements.txt /tmp/
# PyTorch and torchvision for processors alone: 200 MB where PyPI has 3 GB of CUDA. What follows finds them there.
RUN pip install --no-cache-dir --index-url https://download.pytorch.org/whl/cpu --constraint /tmp/requirements.txt torch torchvision \
    && pip install --no-cache-dir --requirement /tmp/requirements.txt
COPY --from=wheel /wheels /tmp/wheels
RUN pip install --no-cache-dir --no-deps /tmp/wheels/*.whl \
    && useradd --create-home --uid 10001 explorer \
    && install --directory --owner=explorer /data
USER explorer
WORKDIR /data
ENV EXPLORER_RUNS=/data/runs EXPLORER_DATA=/data/sets
VOLUME /data
EXPOSE 8501
HEALTHCHECK --start-period=2m \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://localhost:8501/_stcore/health', timeout=5)"]
CMD ["latent-explorer", "serve", "--host", "0.0.0.0", "--port", "8501"]
