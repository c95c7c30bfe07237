# For who runs containers. docs/platforms.md says when a platform uses it; the packages and the commands are the same.
FROM python:3.13-slim
ENV PYTHONUNBUFFERED=1
WORKDIR /app

# Wheels of known hashes: no compiler is needed, and nothing else gets in.
COPY requirements.txt ./
RUN pip install --no-cache-dir --only-binary :all: --require-hashes --requirement requirements.txt

# The user that runs the code may not change it, so it is compiled here.
COPY . ./
RUN useradd --no-create-home --uid 10001 semicircle && python -m compileall -q .
USER 10001

# The web line of the Procfile. Its other lines start the worker and the release.
CMD ["python", "start.py", "gunicorn"]
